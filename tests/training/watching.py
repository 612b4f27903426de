"""A training that never runs, for those who watch one."""

from __future__ import annotations

from typing import Any

from semanir_arch.runs.batch_schedule import Plan, Stage
from semanir_arch.training.observer import Facts


class Model:
    """What observers ask a model for."""

    def __init__(self) -> None:
        self.examples: dict[str, Any] = {}


def facts(options: dict[str, Any], total_iter: int, done: int = 0, board: Any = None) -> Facts:
    """A training of `total_iter` iterations."""
    plan = Plan((Stage(total_iter, batch=1),), total_iter, images=1)
    return Facts(options, plan, done, Model(), board)
