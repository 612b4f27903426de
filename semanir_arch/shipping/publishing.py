"""From a finished training to the two shipped files, if they are better than those there."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from semanir_arch.data.sources.source_opening import open_source
from semanir_arch.report.provenance import describe_computer, find_commit, list_versions
from semanir_arch.shipping.choosing import bfloat16_cost, is_better, validate
from semanir_arch.shipping.training import Attempt, option_file
from semanir_arch.tasks import Task
from semanir_arch.utils import devices
from semanir_arch.utils.atomic import write_text
from semanir_arch.utils.checkpoint import load_checkpoint
from semanir_arch.utils.errors import InputError
from semanir_arch.utils.options import resolve
from semanir_arch.utils.tensor_file import write_tensors
from semanir_arch.weights.catalogue import BFLOAT16_COST, FOLDER, find

__all__ = ["Verdict", "measure_bfloat16", "publish", "read_log", "write_record"]

_LOGGED = re.compile(r"iter: *([\d,]+), lr:\(([^,]+),[^)]*\).* l_pix: (\S+)")

Verdict = tuple[bool, dict[str, float], dict[str, float]]
"""Whether the new weights were shipped, their validation scores, and those of the former ones."""


def publish(task: Task, experiment: Path, attempt: Attempt, folder: Path = FOLDER) -> Verdict:
    """Ship the weights of a training, if they are better than the shipped ones.

    What is compared, and shipped, is the averaged network in half precision. Weights that replace
    others need new scores on the test sets; see `scoring`.

    Args:
        task: Task that was trained.
        experiment: Folder of the training.
        attempt: Facts about the training.
        folder: Folder of the shipped weights.

    Raises:
        FileNotFoundError: The training has left no weights, or validation images are missing.
        ValueError: Its weights are not finite in half precision.
    """
    options = resolve(attempt.option_file, _as_overrides(attempt.overrides)).options
    checkpoint = load_checkpoint(experiment / "models" / "net_g_latest.pth")
    params = {name: value.half() for name, value in checkpoint.params.items()}
    if not all(value.isfinite().all() for value in params.values()):
        raise InputError(f"{checkpoint.source}: weights are not finite in half precision")
    record = _describe(task, options, attempt, sum(value.numel() for value in params.values()))
    record["log"] = read_log(experiment)
    candidate = experiment / f"{task.name}.safetensors"
    content = {"network_g": dict(options["network_g"]), "metadata": {"task": task.name, **record}}
    write_tensors(candidate, params, content)
    device = devices.accelerator() or "cpu"
    new = validate(candidate, options, device)
    shipped = folder / f"{task.name}.safetensors"
    old = validate(shipped, options, device) if shipped.is_file() else {}
    if old and not is_better(new, old):
        return False, new, old
    record["validation"] = new
    record[BFLOAT16_COST] = bfloat16_cost(candidate, options, new, device)
    if old and (attempt.started_from or "").startswith(shipped.name):
        record["earlier_trainings"] = _earlier(task, folder)
    content["metadata"] = {"task": task.name, **record}
    folder.mkdir(parents=True, exist_ok=True)
    write_tensors(shipped, params, content)
    write_record(folder, task, record)
    return True, new, old


def measure_bfloat16(task: Task, folder: Path = FOLDER) -> dict[str, float]:
    """Measure what bfloat16 costs the shipped network of a task, and keep it in its record.

    Args:
        task: Task with shipped weights.
        folder: Folder of the shipped weights.

    Returns:
        Decibels by held-out set; see `choosing.bfloat16_cost`.

    Raises:
        FileNotFoundError: There are no weights, or no held-out images.
    """
    shipped = find(task.name, folder)
    options = resolve(option_file(task), ()).options
    cost = bfloat16_cost(shipped.path, options, validate(shipped.path, options))
    record = {key: value for key, value in shipped.record.items() if key != "task"}
    write_record(folder, task, record | {BFLOAT16_COST: cost})
    return cost


def write_record(folder: Path, task: Task, record: Mapping[str, Any]) -> None:
    """Write the training record beside the weights."""
    text = json.dumps({"task": task.name, **record}, indent=2, ensure_ascii=False) + "\n"
    write_text(folder / f"{task.name}.json", text)


def read_log(folder: Path) -> list[str]:
    """Iteration, learning rate and loss, as the log of a training has them.

    Args:
        folder: Folder of the experiment.
    """
    lines = {}
    for file in sorted(folder.glob("train_*.log")):
        for found in _LOGGED.finditer(file.read_text(encoding="utf-8")):
            iteration, rate, loss = found.groups()
            # a sitting that continues repeats what came after the state it began with
            lines[int(iteration.replace(",", ""))] = f"lr {rate}, loss {loss}"
    return [f"iteration {number}: {lines[number]}" for number in sorted(lines)]


def _describe(
    task: Task, options: Mapping[str, Any], attempt: Attempt, parameters: int
) -> dict[str, Any]:
    """Everything that someone needs to judge and repeat a training."""
    block = options["datasets"]["train"]
    device = devices.device_of_run(options["num_gpu"])
    return {
        "title": task.title,
        "network": dict(options["network_g"]),
        "parameters": parameters,
        "training": {
            "option_file": attempt.option_file,
            "overrides": dict(attempt.overrides),
            "data": {
                "roots": block["dataroot_gt"],
                "images": len(open_source(block["dataroot_gt"])),
                "list": "options/shipped/photographs.txt",
            },
            "started_from": attempt.started_from,
            "hardware": describe_computer(device)["device"],
            "threads": torch.get_num_threads(),
            "precision": options.get("precision", "fp32"),
            "patch_size": block["patch_size"],
            "batch": block["batch_size_per_gpu"],
            "iterations": attempt.iterations,
            "minutes": round(attempt.seconds / 60, 1),
            "seed": options["manual_seed"],
            "commit": find_commit(),
            "versions": list_versions(),
        },
    }


def _earlier(task: Task, folder: Path) -> list[dict[str, Any]]:
    """Trainings whose result the new one has continued, the first one first."""
    record = find(task.name, folder).record
    last = {**record["training"], "log": record.get("log", [])}
    return [*record.get("earlier_trainings", ()), last]


def _as_overrides(changed: Mapping[str, str]) -> list[str]:
    return [f"{key}={value}" for key, value in changed.items()]
