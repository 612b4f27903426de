"""Find the networks that the package ships."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semanir_arch.tasks import NETWORK_TASKS, Task, get_task
from semanir_arch.utils.errors import MissingFileError

__all__ = [
    "BFLOAT16_COST",
    "FOLDER",
    "TRAIN_COMMAND",
    "Score",
    "ShippedWeights",
    "available",
    "find",
]

FOLDER = Path(__file__).parent
"""Folder of the shipped files."""

TRAIN_COMMAND = "python -m semanir_arch.weights train {task}"
"""Command that trains the network of a task, from a checkout with datasets."""

BFLOAT16_COST = "bfloat16_cost"
"""Key of a record for what computing in bfloat16 costs on the held-out sets: decibels by their
names, 8 bits out, positive where it is worse."""


@dataclass(frozen=True)
class Score:
    """Scores that `test.py` measured on one data set at one strength.

    Args:
        dataset: Name of the data set.
        level: Strength of the damage in words, e.g. "sigma 25"; empty where there is only one.
        protocol: Protocol of the comparison; see docs/metrics.md.
        psnr: Mean PSNR of the restored images in decibels.
        ssim: Mean SSIM of the images.
        psnr_input: Mean PSNR of the damaged images; None where they have another size, or are the
            clean ones.
    """

    dataset: str
    level: str
    protocol: str
    psnr: float
    ssim: float
    psnr_input: float | None = None


@dataclass(frozen=True)
class ShippedWeights:
    """A network that comes with the package.

    Args:
        task: Task of the weights.
        path: The weights, a safetensors file that `Restorer` reads.
        record: Record of training and scores, as in the .json file next to it.
    """

    task: Task
    path: Path
    record: Mapping[str, Any]

    @property
    def parameters(self) -> int:
        """Number of trained values."""
        return int(self.record["parameters"])

    @property
    def scores(self) -> tuple[Score, ...]:
        """Scores that `test.py` measured on the test sets; empty before that was done."""
        return tuple(Score(**score) for score in self.record.get("scores", ()))

    @property
    def origin(self) -> str:
        """Origin of the weights, in one line."""
        trainings = self.trainings
        minutes = sum(training["minutes"] for training in trainings)
        iterations = sum(training["iterations"] for training in trainings)
        hardware = ", ".join(dict.fromkeys(training["hardware"] for training in trainings))
        return (
            f"trained by this project: {minutes:.0f} minutes on {hardware}, "
            f"{iterations:,d} iterations"
        )

    @property
    def trainings(self) -> list[dict[str, Any]]:
        """Trainings of the weights for this task, the first one first."""
        return [*self.record.get("earlier_trainings", ()), self.record["training"]]


def find(task: str, folder: Path = FOLDER) -> ShippedWeights:
    """The shipped network of a task.

    Args:
        task: Task name, a key of `NETWORK_TASKS`.
        folder: Folder to search.

    Raises:
        TypeError: The task is no text.
        ValueError: There is no such task.
        FileNotFoundError: None is shipped for it; says which are and how to train it.
    """
    entry = get_task(task)
    weights, record = (folder / f"{entry.name}{suffix}" for suffix in (".safetensors", ".json"))
    if not (weights.is_file() and record.is_file()):
        shipped = ", ".join(found.task.name for found in available(folder)) or "none"
        raise MissingFileError(
            f"no weights are shipped for task {task!r} (shipped: {shipped}); train them with: "
            f"{TRAIN_COMMAND.format(task=entry.name)}, or name a file with --weights"
        )
    return ShippedWeights(entry, weights, json.loads(record.read_text(encoding="utf-8")))


def available(folder: Path = FOLDER) -> list[ShippedWeights]:
    """All shipped networks, in the order of `NETWORK_TASKS`."""
    return [
        find(name, folder)
        for name in NETWORK_TASKS
        if (folder / f"{name}.safetensors").is_file() and (folder / f"{name}.json").is_file()
    ]
