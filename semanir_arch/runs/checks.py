"""What can be wrong with a run besides its keys and values, found before anything is built."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from semanir_arch.archs import NETWORKS
from semanir_arch.bridges.spandrel_reader import SpandrelNetwork
from semanir_arch.evaluation.image_restoring import Restoring
from semanir_arch.metrics.metric_names import name_metrics, protocol_scores
from semanir_arch.models.freezing import members
from semanir_arch.models.mixed_precision import check_precision
from semanir_arch.models.schedules import build_schedule
from semanir_arch.runs.batch_schedule import read_stages
from semanir_arch.runs.dry_run import build_without_memory, try_optimizer
from semanir_arch.utils import devices, processes
from semanir_arch.utils.checkpoint import check_fit, load_checkpoint, load_state
from semanir_arch.utils.errors import UserError
from semanir_arch.utils.options import OptionError, Problem, Resolved, hint

__all__ = ["check_devices", "check_evaluation", "check_network", "check_training"]

KeyPath = tuple[str, ...]

_OUR_MODELS = ("RestorationModel", "AdversarialModel")


def check_devices(resolved: Resolved) -> None:
    """Compare `num_gpu` with the GPUs there are: all of CUDA or ROCm, one of any other kind.

    Among several processes, each uses one, and the number only says whether to use any: the
    computers of a run may have different numbers of them.

    Raises:
        OptionError: More are asked for, or several processes where there is neither CUDA nor ROCm.
    """
    wanted, present = resolved.options.get("num_gpu"), devices.count()
    if processes.started_by_torchrun(os.environ):
        kind = devices.device_of_run(wanted)
        if kind not in ("cpu", "cuda"):
            text = f"received {wanted}, but several processes cannot share {kind}; allowed here: 0"
            raise OptionError(_located(resolved, ("num_gpu",), text))
        wanted = min(wanted, 1) if isinstance(wanted, int) else wanted
    if isinstance(wanted, int) and wanted > present:
        text = f"received {wanted}, but torch finds {present} here; allowed: 0 to {present}, auto"
        raise OptionError(_located(resolved, ("num_gpu",), text))


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
    if block.get("type") == SpandrelNetwork.__name__:
        _check_foreign(resolved, block)
    try:
        network = build_without_memory(block)
    except ValueError as error:
        raise OptionError(_located(resolved, ("network_g",), str(error))) from error
    if network is None:
        return
    _check_scale(resolved, network)
    if str(block.get("type")) not in NETWORKS:
        return
    for key in (("val", "k"), ("train", "k")):
        k = (resolved.options.get(key[0]) or {}).get(key[1])
        if k is not None and not hasattr(network, "k"):
            text = f"received {k}, but {block['type']} has no k"
            raise OptionError(_located(resolved, key, text))
    _check_parts(resolved, network)
    weights = path.get("pretrain_network_g")
    if weights and path.get("strict_load_g", True):
        check_fit(network, load_checkpoint(Path(weights).expanduser()))


def _check_foreign(resolved: Resolved, block: dict[str, Any]) -> None:
    """Read a network of others, and compare what it needs with the rest of the options."""
    key = ("network_g", "file")
    try:
        network = SpandrelNetwork(block.get("file", ""))
    except (UserError, OSError) as error:
        raise OptionError(_located(resolved, key, str(error))) from error
    scale, model = resolved.options.get("scale") or 1, resolved.options.get("model_type")
    if network.upscale != scale:
        text = f"its network, {network.name}, enlarges {network.upscale} times; scale is {scale}"
        raise OptionError(_located(resolved, key, text))
    if model != "RestorationModel":
        text = f"received {model!r}; networks that spandrel reads need RestorationModel"
        raise OptionError(_located(resolved, ("model_type",), text))


def _check_scale(resolved: Resolved, network: nn.Module) -> None:
    """The network enlarges as much as the data say."""
    wanted, made = resolved.options.get("scale", 1), getattr(network, "upscale", None)
    if made is None or made == wanted:
        return
    name = type(network).__name__
    argument = next((a for a in ("upscale", "task") if a in resolved.options["network_g"]), "type")
    text = f"received {wanted}, but {name} enlarges by {made} (network_g:{argument})"
    raise OptionError(_located(resolved, ("scale",), text))


def _check_parts(resolved: Resolved, network: nn.Module) -> None:
    """Modules that options name are there."""
    path, train = ((resolved.options.get(key) or {}) for key in ("path", "train"))
    named = {
        ("path", "fresh_g"): path.get("fresh_g"),
        ("train", "freeze", "except"): (train.get("freeze") or {}).get("except"),
    }
    for key, parts in named.items():
        try:
            members(network, parts or (), ":".join(key))
        except UserError as error:
            text = str(error).partition(": ")[2]
            raise OptionError(_located(resolved, key, text)) from error


def _check_readable(resolved: Resolved, key: str, file: Path) -> None:
    """Read weights before models of BasicSR do, which would show torch's page of advice."""
    if file.suffix.lower() != ".safetensors":
        load_state(file)
        return
    # Imported here, because it imports BasicSR: a wrong file name should be told at once.
    from semanir_arch.registration import ENTRIES

    if resolved.options.get("model_type") in ENTRIES["MODEL_REGISTRY"]:
        load_checkpoint(file)
        return
    text = (
        f"received {str(file)!r}, but BasicSR's models cannot read safetensors; convert the file: "
        f"python -m semanir_arch.commands.convert {file} {file.with_suffix('.pth')}"
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
        read_stages(block["train"], int(train["total_iter"]), processes=1)
    except OptionError as error:
        raise OptionError([_located(resolved, p.key, p.text) for p in error.problems]) from error
    _check_kept(resolved, options.get("logger") or {})
    _check_made(resolved, train)


def _check_made(resolved: Resolved, train: dict[str, Any]) -> None:
    """Check what a training is made of, besides the network."""
    device = devices.device_of_run(resolved.options.get("num_gpu"))
    precision = resolved.options.get("precision", "fp32")
    tries: dict[KeyPath, Callable[[], object]] = {
        ("train", "scheduler"): lambda: build_schedule(train["scheduler"]),
        ("train", "optim_g"): lambda: try_optimizer(train["optim_g"]),
        ("precision",): lambda: check_precision(precision, device),
    }
    problems = []
    for key, build in tries.items():
        try:
            build()
        except ValueError as error:
            text = str(error).removeprefix(f"{':'.join(key)}: ")
            problems.append(_located(resolved, key, text))
    if problems:
        raise OptionError(problems)


def check_evaluation(resolved: Resolved) -> None:
    """Compare the tiles in which this package's model restores images with their overlap.

    Raises:
        OptionError: They contradict each other.
    """
    if resolved.options.get("model_type") not in _OUR_MODELS:
        return
    try:
        Restoring.from_options(resolved.options.get("val") or {})
    except UserError as error:
        key = ("val", "overlap" if (resolved.options.get("val") or {}).get("overlap") else "tile")
        raise OptionError(_located(resolved, key, str(error).removeprefix("val:tile: "))) from error


def _check_kept(resolved: Resolved, logger: dict[str, Any]) -> None:
    best = logger.get("keep_best")
    if best is None:
        return
    names = [
        block.get("name")
        for phase, block in resolved.options["datasets"].items()
        if phase.startswith("val")
    ]
    if best["dataset"] not in names:
        text = f"received {best['dataset']!r}; {hint(best['dataset'], names)}"
        raise OptionError(_located(resolved, ("logger", "keep_best", "dataset"), text))
    val = resolved.options.get("val") or {}
    protocol = val.get("protocol")
    scores = [*protocol_scores(protocol), *name_metrics(val.get("metrics"), protocol)]
    if best["metric"] not in scores:
        text = f"received {best['metric']!r}; {hint(best['metric'], scores)}"
        raise OptionError(_located(resolved, ("logger", "keep_best", "metric"), text))


def _located(resolved: Resolved, key: KeyPath, text: str) -> Problem:
    return Problem(resolved.merged.origin(key), key, text)
