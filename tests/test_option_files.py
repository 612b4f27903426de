"""Every option file resolves, validates, builds its network, trains and tests."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from semanir_arch import host, plugin
from semanir_arch.archs import build_network
from semanir_arch.data.image_io import write_image
from semanir_arch.engine import test as engine_test
from semanir_arch.engine import train as engine_train
from semanir_arch.engine.run import complete_options
from semanir_arch.utils.options import OptionError, basicsr_keys, resolve
from semanir_arch.utils.options.inheritance import merge_file
from tests.helpers import TINY

ROOT = Path(__file__).parents[1]
OPTIONS = ROOT / "options"
FRAGMENTS = sorted(OPTIONS.glob("_base_/*/*.yml"))
LEAVES = sorted(set(OPTIONS.rglob("*.yml")) - set(FRAGMENTS))
TRAIN_LEAVES = [leaf for leaf in LEAVES if leaf.is_relative_to(OPTIONS / "train")]


def name_of(path):
    return str(path.relative_to(OPTIONS))


@pytest.fixture(autouse=True)
def _fresh_logger(monkeypatch):
    """BasicSR opens its log file once per process."""
    monkeypatch.setattr(host.load("basicsr.utils.logger"), "initialized_logger", {})


@pytest.fixture
def images(tmp_path, monkeypatch):
    """Working folder with pictures of 24 pixels, others of this size, and of half of it."""
    monkeypatch.chdir(tmp_path)
    kinds = (("gt", 24, ""), ("degraded", 24, ""), ("lq", 12, ""), ("lq_x2", 12, "x2"))
    for seed, (folder, size, suffix) in enumerate(kinds):
        Path(folder).mkdir()
        for name in ("a", "b"):
            pixels = np.random.default_rng(seed).integers(256, size=(size, size, 3))
            write_image(Path(folder) / f"{name}{suffix}.png", pixels.astype(np.uint8))
    return tmp_path


def small(leaf):
    """Overrides that turn a leaf into a run of seconds on the pictures of `images`."""
    options = resolve(leaf).options
    network = TINY[options["network_g"]["type"]]
    changed = {
        f"network_g:{key}": json.dumps(value)
        for key, value in network.items()
        if key not in ("in_chans", "out_chans")
    }
    for name, block in options["datasets"].items():
        changed[f"datasets:{name}:dataroot_gt"] = "gt"
        folder = "degraded" if options.get("scale", 1) == 1 else "lq"
        for key in ("dataroot_lq", "dataroot_left", "dataroot_right"):
            if key in block:
                changed[f"datasets:{name}:{key}"] = "lq_x2" if "filename_tmpl" in block else folder
    if "train" in options:
        size = "patch_size" if "patch_size" in options["datasets"]["train"] else "gt_size"
        if "progressive" in options["datasets"]["train"]:
            stages = [{"iters": 1, "patch_size": 8}, {"iters": 1, "patch_size": 16}]
            changed["datasets:train:progressive"] = json.dumps(stages)
        if "losses" in options["train"]:
            # without the features of a network whose weights are no part of this project
            changed["train:losses"] = "null"
        changed |= {
            f"datasets:train:{size}": "8",
            "datasets:train:batch_size_per_gpu": "1",
            "datasets:train:num_worker_per_gpu": "0",
            "train:total_iter": "2",
            "logger:print_freq": "1",
            "logger:use_tb_logger": "false",
        }
        if "k" in options["train"]:
            changed["train:k"] = "[4, 8]"
    return [f"{key}={value}" for key, value in changed.items()]


@pytest.mark.parametrize("leaf", LEAVES, ids=name_of)
def test_a_leaf_is_valid_and_builds_its_network(leaf):
    is_train = leaf in TRAIN_LEAVES
    options = complete_options(str(leaf), [], is_train).options
    with torch.device("meta"):
        network = build_network(options["network_g"])
    # that its inputs have the channels of the datasets is part of the validation
    assert network.out_chans == 1 if "gray" in leaf.stem else network.out_chans == 3
    assert network.upscale == options.get("scale", 1)


@pytest.mark.parametrize("leaf", TRAIN_LEAVES, ids=name_of)
def test_a_leaf_trains_two_iterations_and_its_test_reports(leaf, images, capsys):
    assert engine_train.main(["-opt", str(leaf), "--force_yml", *small(leaf)]) == 0
    name = resolve(leaf).options["name"]
    assert (images / "experiments" / name / "models" / "net_g_latest.pth").is_file()

    partner = OPTIONS / "test" / leaf.relative_to(OPTIONS / "train")
    assert engine_test.main(["-opt", str(partner), "--force_yml", *small(partner)]) == 0
    report = json.loads((images / "results" / name / "report.json").read_text())
    assert all(len(dataset["images"]) == 2 for dataset in report["datasets"])
    assert "protocol: " + report["datasets"][0]["protocol"] in capsys.readouterr().out


@pytest.mark.parametrize("fragment", FRAGMENTS, ids=name_of)
def test_a_fragment_is_used(fragment):
    assert any(fragment in merge_file(leaf).fragments for leaf in LEAVES)


@pytest.mark.parametrize("leaf", LEAVES, ids=name_of)
def test_a_leaf_is_short_and_takes_one_fragment_of_each_kind(leaf):
    assert len(leaf.read_text().splitlines()) <= 30
    kinds = [fragment.parent.name for fragment in merge_file(leaf).fragments]
    needed = ["runtime", "network", "benchmark"]
    needed += ["data", "schedule"] if leaf in TRAIN_LEAVES else []
    assert sorted(kinds) == sorted(needed)


def test_training_and_test_of_a_leaf_have_one_name():
    for leaf in TRAIN_LEAVES:
        partner = OPTIONS / "test" / leaf.relative_to(OPTIONS / "train")
        assert resolve(leaf).options["name"] == resolve(partner).options["name"]


def test_a_patch_that_the_scale_does_not_divide_is_refused():
    leaf = str(OPTIONS / "train" / "sr" / "SemanIR_tiny_x2.yml")
    with pytest.raises(OptionError, match="gt_size: received 128; allowed: multiples of scale"):
        complete_options(leaf, ["scale=3"], is_train=True)
    complete_options(leaf, ["scale=3", "vars:gt_size=192"], is_train=True)


@pytest.mark.parametrize("path", [*LEAVES, *FRAGMENTS], ids=name_of)
def test_paths_are_relative(path):
    assert not re.search(r"[:\s'\"]/\w|[A-Z]:\\|~/", path.read_text())


@pytest.mark.parametrize("path", [*LEAVES, *FRAGMENTS], ids=name_of)
def test_a_file_says_what_it_is_for(path):
    assert path.read_text().startswith("# ")


def sources(owner):
    """Code of a class, of those it is made of, and of what they import from the same part."""
    part = ".".join(owner.__module__.split(".")[:2])
    waiting = [entry.__module__ for entry in owner.__mro__ if entry.__module__.startswith(part)]
    found = {}
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = Path(importlib.import_module(name).__file__).read_text()
            waiting += re.findall(rf"^from ({re.escape(part)}\.[\w.]+) import", found[name], re.M)
    return found


@pytest.mark.parametrize(
    ("owner", "option"),
    [
        (owner, option)
        for registry in ("DATASET_REGISTRY", "MODEL_REGISTRY")
        for owner in plugin.ENTRIES[registry].values()
        for option in owner.OPTIONS
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_declared_option_is_read_and_explained(owner, option):
    """Its name appears in the code of its class, beside the declaration, and it has a help text."""
    code = "".join(sources(owner).values())
    name = option.split(".")[-1]
    assert len(re.findall(rf'"{name}"|\.{name}"', code)) >= 2
    assert owner.OPTIONS[option].help


def test_options_of_basicsr_are_read_by_basicsr():
    source = "".join(
        path.read_text(encoding="utf-8")
        for path in Path(host.load("basicsr").__file__).parent.rglob("*.py")
    )
    sections = [getattr(basicsr_keys, name) for name in vars(basicsr_keys) if name.isupper()]
    assert len(sections) == 12
    for section in sections:
        assert all(re.search(rf"\b{option}\b", source) for option in section)
