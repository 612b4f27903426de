"""A training that never runs, for those who watch one."""

from __future__ import annotations

from typing import Any

from semanir_arch.runs.batch_schedule import BatchSchedule, Stage
from semanir_arch.training.observer import TrainingFacts


class Model:
    """What observers ask a model for."""

    def __init__(self) -> None:
        self.examples: dict[str, Any] = {}


def facts(
    options: dict[str, Any], total_iter: int, done: int = 0, writer: Any = None
) -> TrainingFacts:
    """A training of `total_iter` iterations."""
    schedule = BatchSchedule((Stage(total_iter, batch=1),), total_iter, images=1)
    return TrainingFacts(options, schedule, done, Model(), writer)
