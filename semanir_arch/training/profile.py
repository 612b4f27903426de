"""Where the time of an iteration goes: `train.py -opt FILE --profile 20`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from semanir_arch.training.observer import Observer, Times, TrainingFacts
from semanir_arch.utils import devices, processes
from semanir_arch.utils.errors import InputError
from semanir_arch.utils.memory import describe_peak

__all__ = ["Profile", "ProfileFinished"]

WARMUP = 5
"""Iterations that are not counted: the first ones fill caches and choose kernels."""

_DATA, _OTHER = "data wait", "other"


class ProfileFinished(Exception):  # noqa: N818 - ends a training that has done what it should
    """Ends the training; the message is the table, in the first process."""


class Profile(Observer):
    """Measures some iterations, then ends the training.

    It waits for the GPU at both ends of every part, so that each is charged with its own time; the
    iterations as a whole are therefore a little slower than without it.

    Args:
        iterations: Number of iterations to measure, 1 or more.

    Raises:
        ValueError: `iterations` is below 1.
    """

    def __init__(self, iterations: int) -> None:
        if iterations < 1:
            raise InputError(f"--profile: received {iterations}; expected 1 or more iterations")
        self._iterations = iterations
        self._seen = 0
        self._total = 0.0
        self._parts: dict[str, float] = {_DATA: 0.0}

    def started(self, facts: TrainingFacts) -> None:
        """Measure the parts of a step, where the model tells them apart; BasicSR's do not.

        Raises:
            ValueError: The training ends before the profile.
        """
        left, needed = facts.schedule.total_iter - facts.done, WARMUP + self._iterations
        if left < needed:
            raise InputError(
                f"--profile: received {self._iterations}, with {WARMUP} more for warm-up, but the "
                f"training has only {left} iterations left; raise train:total_iter"
            )
        facts.model.phase = self._measure

    def step(self, iteration: int, log: Mapping[str, float], times: Times) -> None:  # noqa: ARG002
        """Add one iteration.

        Raises:
            ProfileFinished: It was the last.
        """
        self._seen += 1
        if self._seen <= WARMUP:
            self._parts = dict.fromkeys(self._parts, 0.0)
            return
        self._parts[_DATA] += times.data
        self._total += times.total
        if self._seen == WARMUP + self._iterations:
            raise ProfileFinished(self._table() if processes.rank() == 0 else "")

    @contextmanager
    def _measure(self, name: str) -> Iterator[None]:
        devices.synchronize()
        start = time.perf_counter()
        try:
            yield
        finally:
            devices.synchronize()
            self._parts[name] = self._parts.get(name, 0.0) + time.perf_counter() - start

    def _table(self) -> str:
        parts = {**self._parts, _OTHER: self._total - sum(self._parts.values())}
        rows = [
            f"  {name:<10} {1e3 * seconds / self._iterations:9.1f} ms {seconds / self._total:7.1%}"
            for name, seconds in parts.items()
        ]
        head = (
            f"{1e3 * self._total / self._iterations:.1f} ms per iteration, mean of "
            f"{self._iterations} after {WARMUP} for warm-up, in the first of "
            f"{processes.world_size()} processes:"
        )
        return "\n".join([head, *rows, f"Memory at most: {describe_peak()}\n"])
