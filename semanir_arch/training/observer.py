"""What the loop tells those who watch it: progress lines, pictures, profiles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from semanir_arch.runs.batch_schedule import BatchSchedule

__all__ = ["Observer", "Times", "TrainingFacts"]


@dataclass(frozen=True)
class TrainingFacts:
    """A training that is about to begin.

    Args:
        options: Complete options.
        schedule: Batch and patch size of every step.
        done: Iterations that an earlier part has run.
        model: Model of any class of BasicSR.
        tb_logger: TensorBoard writer, or None.
    """

    options: dict[str, Any]
    schedule: BatchSchedule
    done: int
    model: Any
    tb_logger: Any


@dataclass(frozen=True)
class Times:
    """Time of the parts of one iteration, in seconds.

    Args:
        data: Waiting for the batch.
        total: The whole iteration, without saving and validation.
    """

    data: float
    total: float


class Observer:
    """Watches a training, in every process; does nothing unless a method is overridden."""

    def started(self, facts: TrainingFacts) -> None:
        """Called before the first iteration."""

    def step(self, iteration: int, log: Mapping[str, float], times: Times) -> None:
        """Called after every iteration, with the losses that the model reports."""

    def validated(self, iteration: int, dataset: str) -> None:
        """Called after the validation of one dataset."""

    def finished(self) -> None:
        """Called at the end, also after an error."""
