"""The option files of the project, and how tests build the networks they name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from torch import nn

from semanir_arch import host
from semanir_arch.archs import NETWORKS, build_network
from semanir_arch.runs import dry_run
from semanir_arch.utils.options import Resolved, find_leaves, resolve
from tests.helpers import ROOT

OPTIONS = ROOT / "options"
FRAGMENTS = sorted(OPTIONS.rglob("_base_/*/*.yml"))
LEAVES = [*find_leaves(OPTIONS)]


@cache
def resolved_of(leaf: Path, role: Any) -> Resolved:
    """A leaf with its fragments; not to be changed."""
    return resolve(leaf, role=role)


def options_of(leaf: Path, role: Any) -> Any:
    """Complete options of a leaf; not to be changed."""
    return resolved_of(leaf, role).options


TRAIN_LEAVES = [leaf for leaf in LEAVES if "train" in options_of(leaf, "train")]
TEST_ONLY = [leaf for leaf in LEAVES if leaf not in TRAIN_LEAVES]
ROLES = [(leaf, "train") for leaf in TRAIN_LEAVES] + [(leaf, "test") for leaf in LEAVES]


def name_of(path: Path) -> str:
    """An option file in the names of tests."""
    return str(path.relative_to(OPTIONS))


def build(block: Mapping[str, Any]) -> nn.Module:
    """A network of this package or of BasicSR, from `network_g`."""
    if block["type"] in NETWORKS:
        return build_network(block)
    return host.load("basicsr.archs").build_network(dict(block))


def build_without_memory(block: Mapping[str, Any]) -> nn.Module:
    """The same on the meta device; the same network for the same options."""
    return _build_without_memory(json.dumps(block, sort_keys=True))


@cache
def _build_without_memory(text: str) -> nn.Module:
    network = dry_run.build_without_memory(json.loads(text))
    assert network is not None
    return network


def kind_of(leaf: Path) -> set[str]:
    """What decides which code a leaf runs: the types it names, and the rarer sections it has.

    Those of the model, the network, the data and the schedule are together, too.
    """
    found = set()
    for role in ("train", "test"):
        options = options_of(leaf, role)
        found |= {f"{role} {text}" for text in _types(options, ("datasets", "train", "network_g"))}
        for key in ("model_type", "network_d"):
            found.add(f"{role} {key} {json.dumps(options.get(key))}")
    training = options_of(leaf, "train")
    block = training.get("datasets", {}).get("train", {})
    found |= {
        f"has {key}"
        for key in ("freeze", "k", "losses", "mixing_augs")
        if key in training.get("train", {})
    }
    found |= {f"has {key}" for key in ("progressive", "filename_tmpl") if key in block}
    start = training.get("path", {})
    found.add(f"start {bool(start.get('pretrain_network_g'))} {start.get('strict_load_g')}")
    found.add(f"channels {block.get('channels')}")
    found.add(f"enlarges {training.get('scale', 1) > 1}")
    schedule = training["train"]["scheduler"]["type"]
    main = [training["model_type"], training["network_g"]["type"], block["type"], schedule]
    return found | {" ".join([*main, str("progressive" in block)])}


def _types(options: Any, sections: Any) -> set[str]:
    """`section type` of all blocks below some sections."""
    found = set()
    for section in sections:
        waiting = [options.get(section)]
        while waiting:
            value = waiting.pop()
            if isinstance(value, dict):
                waiting += value.values()
                if isinstance(value.get("type"), str):
                    found.add(f"{section} {value['type']}")
    return found
