"""What can be wrong with a run besides its keys and values, found before anything is built."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from semanir_arch.archs import NETWORKS, build_network
from semanir_arch.runs.batch_schedule import read_stages
from semanir_arch.utils import processes
from semanir_arch.utils.checkpoint import check_fit, load_checkpoint, load_state
from semanir_arch.utils.options import OptionError, Problem, Resolved, hint

__all__ = ["check_devices", "check_network", "check_training"]

KeyPath = tuple[str, ...]


def check_devices(resolved: Resolved) -> None:
    """Compare `num_gpu` with the GPUs there are.

    Among several processes, each uses one, and the number only says whether to use any: the
    computers of a run may have different numbers of them.

    Raises:
        OptionError: More are asked for.
    """
    wanted, present = resolved.options.get("num_gpu"), torch.cuda.device_count()
    if isinstance(wanted, int) and processes.started_by_torchrun(os.environ):
        wanted = min(wanted, 1)
    if isinstance(wanted, int) and wanted > present:
        text = f"received {wanted}, but torch finds {present} here; allowed: 0 to {present}, auto"
        raise OptionError(Problem(resolved.merged.origin(("num_gpu",)), ("num_gpu",), text))


def check_network(resolved: Resolved) -> None:
    """Build a network of this package without memory, and compare it with the weights to load.

    Raises:
        OptionError: Its arguments contradict each other, or it has no keys to keep.
        FileNotFoundError: There are no such weights.
        CheckpointError: The weights are unreadable or belong to another network.
    """
    block, path = (resolved.options.get(key) or {} for key in ("network_g", "path"))
    for key, file in path.items():
        if key.startswith("pretrain_network") and file:
            _check_readable(resolved, key, Path(file).expanduser())
    if block.get("type") not in NETWORKS:
        return
    try:
        with torch.device("meta"):
            network = build_network(block)
    except (ValueError, TypeError) as error:
        key = ("network_g",)
        raise OptionError(Problem(resolved.merged.origin(key), key, str(error))) from error
    k = (resolved.options.get("val") or {}).get("k")
    if k is not None and not hasattr(network, "k"):
        text = f"received {k}, but {block['type']} has no k"
        raise OptionError(_located(resolved, ("val", "k"), text))
    if k is not None and k < 1:
        raise OptionError(_located(resolved, ("val", "k"), f"received {k}; allowed: 1 or more"))
    weights = path.get("pretrain_network_g")
    if weights and path.get("strict_load_g", True):
        check_fit(network, load_checkpoint(Path(weights).expanduser()))


def _check_readable(resolved: Resolved, key: str, file: Path) -> None:
    """Read weights before models of BasicSR do, which would show torch's page of advice."""
    if file.suffix.lower() != ".safetensors":
        load_state(file)
        return
    # Imported here, because it imports BasicSR: a wrong file name should be told at once.
    from semanir_arch.plugin import ENTRIES

    if resolved.options.get("model_type") in ENTRIES["MODEL_REGISTRY"]:
        load_checkpoint(file)
        return
    text = (
        f"received {str(file)!r}, but models of BasicSR read no safetensors; convert the file: "
        f"python -m semanir_arch.utils.convert {file} {file.with_suffix('.pth')}"
    )
    raise OptionError(_located(resolved, ("path", key), text))


def check_training(resolved: Resolved) -> None:
    """Compare the stages of the data with the length of the training, and what is kept with both.

    Raises:
        OptionError: They contradict each other.
    """
    options = resolved.options
    block, train = ((options.get(name) or {}) for name in ("datasets", "train"))
    if "train" not in block or "total_iter" not in train:
        return
    try:
        stages = read_stages(block["train"], int(train["total_iter"]), processes=1)
    except OptionError as error:
        raise OptionError([_located(resolved, p.key, p.text) for p in error.problems]) from error
    scale = options.get("scale") or 1
    for stage in stages:
        if stage.patch_size is not None and stage.patch_size % scale:
            text = f"patch_size: received {stage.patch_size}; allowed: multiples of scale, {scale}"
            raise OptionError(_located(resolved, ("datasets", "train", "progressive"), text))
    _check_kept(resolved, options.get("logger") or {})


def _check_kept(resolved: Resolved, logger: dict[str, Any]) -> None:
    number, best = logger.get("keep_states"), logger.get("keep_best")
    if number is not None and number < 1:
        text = f"received {number}; allowed: 1 or more, null for all"
        raise OptionError(_located(resolved, ("logger", "keep_states"), text))
    if best is None:
        return
    key = ("logger", "keep_best")
    if set(best) != {"dataset", "metric"}:
        text = f"received {best}; expected dataset and metric"
        raise OptionError(_located(resolved, key, text))
    names = [
        block.get("name")
        for phase, block in resolved.options["datasets"].items()
        if phase.startswith("val")
    ]
    if best["dataset"] not in names:
        text = f"received {best['dataset']!r}; {hint(best['dataset'], names)}"
        raise OptionError(_located(resolved, (*key, "dataset"), text))


def _located(resolved: Resolved, key: KeyPath, text: str) -> Problem:
    return Problem(resolved.merged.origin(key), key, text)
