"""Learning rates as functions of the iteration alone: nothing to save, nothing to drift.

BasicSR's step schedule multiplies the current rate, so that it goes on from whatever the warm-up
left: (w - 1) / w of the initial rate after w iterations, for ever. Here every rate is computed from
the initial one. `CosineAnnealingRestartCyclicLR` is the schedule of Restormer (arXiv 2111.09881).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from semanir_arch.utils.errors import InputError
from semanir_arch.utils.options import Bounds, Length, hint
from semanir_arch.utils.options.basicsr_keys import FACTOR, ITERATIONS

__all__ = [
    "SCHEDULES",
    "CosineRestarts",
    "CyclicCosineRestarts",
    "MultiStep",
    "Schedule",
    "build_schedule",
    "learning_rate",
]


Periods = Annotated[Sequence[ITERATIONS], Length(1)]
"""Iterations of each cycle."""

Factors = Annotated[Sequence[FACTOR], Length(1)]
"""Factors of the initial rate."""

LowestRate = Annotated[float, Bounds(0, 100)]
"""A learning rate, perhaps 0."""


class Schedule(Protocol):
    """A learning rate over time."""

    def rate(self, initial: float, steps: int) -> float:
        """The learning rate after `steps` iterations, for an option `lr` of `initial`."""


@dataclass(frozen=True)
class MultiStep:
    """Multiplied by a factor at each milestone.

    Args:
        milestones: Iterations after which the rate changes; one that is listed twice counts twice.
        gamma: Factor.
        restarts: Iterations after which the rate starts again.
        restart_weights: Factor of the initial rate at each restart.
    """

    milestones: Sequence[ITERATIONS]
    gamma: Annotated[float, Bounds(above=0, most=1)] = 0.1
    restarts: Sequence[Annotated[float, Bounds(0, 1e12, whole=True)]] = (0,)
    restart_weights: Factors = (1,)

    def __post_init__(self) -> None:
        _check_lengths(restarts=self.restarts, restart_weights=self.restart_weights)

    def rate(self, initial: float, steps: int) -> float:
        """Learning rate at a step; see `Schedule`."""
        since, weight = -1.0, 1.0
        for restart, factor in zip(self.restarts, self.restart_weights, strict=True):
            if since <= restart <= steps:
                since, weight = restart, factor
        passed = sum(since < milestone <= steps for milestone in self.milestones)
        return float(initial * weight * self.gamma**passed)


@dataclass(frozen=True)
class CyclicCosineRestarts:
    """Half a cosine wave per cycle, each down to a rate of its own.

    Args:
        periods: Iterations of each cycle; after the last one the rate stays.
        restart_weights: Factor of the height of each cycle.
        eta_mins: Learning rate at the end of each cycle.
    """

    periods: Periods
    restart_weights: Factors
    eta_mins: Annotated[Sequence[LowestRate], Length(1)]

    def __post_init__(self) -> None:
        _check_lengths(
            periods=self.periods, restart_weights=self.restart_weights, eta_mins=self.eta_mins
        )

    def rate(self, initial: float, steps: int) -> float:
        """Learning rate at a step; see `Schedule`."""
        start, last = 0.0, len(self.periods) - 1
        for index, period in enumerate(self.periods):
            if steps <= start + period or index == last:
                break
            start += period
        done = min((steps - start) / period, 1.0)
        low = self.eta_mins[index]
        height = self.restart_weights[index] * (initial - low)
        return float(low + 0.5 * height * (1 + math.cos(math.pi * done)))


@dataclass(frozen=True)
class CosineRestarts:
    """`CyclicCosineRestarts` with one lowest rate.

    Args:
        periods: Iterations of each cycle; after the last one the rate stays.
        restart_weights: Factor of the height of each cycle.
        eta_min: Learning rate at the end of every cycle.
    """

    periods: Periods
    restart_weights: Factors = (1,)
    eta_min: LowestRate = 0.0

    def __post_init__(self) -> None:
        _check_lengths(periods=self.periods, restart_weights=self.restart_weights)

    def rate(self, initial: float, steps: int) -> float:
        """Learning rate at a step; see `Schedule`."""
        lowest = [self.eta_min] * len(self.periods)
        return CyclicCosineRestarts(self.periods, self.restart_weights, lowest).rate(initial, steps)


SCHEDULES: dict[str, type[MultiStep | CosineRestarts | CyclicCosineRestarts]] = {
    "MultiStepLR": MultiStep,
    "MultiStepRestartLR": MultiStep,
    "CosineAnnealingRestartLR": CosineRestarts,
    "CosineAnnealingRestartCyclicLR": CyclicCosineRestarts,
}
"""Schedules by the names that option files use."""


def build_schedule(options: Mapping[str, Any]) -> Schedule:
    """The schedule of an option block `train.scheduler`.

    Raises:
        ValueError: Unknown type, or lists of different lengths.
    """
    arguments = dict(options)
    kind = arguments.pop("type", None)
    if kind not in SCHEDULES:
        raise InputError(f"train:scheduler:type: received {kind!r}; {hint(str(kind), SCHEDULES)}")
    return SCHEDULES[kind](**arguments)


def learning_rate(
    schedule: Schedule, initial: float, iteration: int, warmup: int, constant: int = 0
) -> float:
    """Learning rate of one iteration.

    Args:
        schedule: Schedule after the warm-up. Its steps are counted from the first iteration after
            `constant`, the warm-up included.
        initial: Option `lr`.
        iteration: Iteration, counted from 1.
        warmup: Iterations in which the rate rises in proportion to their number, the first at
            `initial / warmup`, the last at `initial`; below 1 for none.
        constant: Iterations at the initial rate that come before everything else.
    """
    if iteration <= constant:
        return initial
    iteration -= constant
    if iteration < warmup:
        return initial * iteration / warmup
    return schedule.rate(initial, iteration - 1)


def _check_lengths(**lists: Sequence[float]) -> None:
    if len({len(values) for values in lists.values()}) > 1 or not all(lists.values()):
        received = ", ".join(f"{name} {list(values)}" for name, values in lists.items())
        raise InputError(f"train:scheduler: received {received}; one entry per cycle is needed")
