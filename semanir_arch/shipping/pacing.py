"""A training that ends, with a finished schedule, when the given time does.

Learning rates are functions of the iteration, so the number of iterations must be known; how many
fit into the time is not. The training therefore runs in segments. Each is stopped by the clock, as
by a signal, and the next one is told the number of iterations that the speed of the last allows.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from semanir_arch.training.observer import Observer, Times, TrainingFacts
from semanir_arch.utils.errors import InputError

__all__ = ["Clock", "Paced", "run_paced"]

SHARES = (0.04, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9)
"""Shares of the given time at which the number of iterations is corrected."""

_SETUPS = 10
"""Times a segment's own start, reading data and state, that should pass until the next one."""

_GOOD_ENOUGH = 0.03
"""Share of the time that a machine that became faster may leave unused."""

_UNKNOWN = 10**6
"""Iterations to announce before any speed is known: the first segment then sees the first rates."""


class Clock(Observer):
    """Stops a training at a time, and measures its speed.

    Args:
        until: Time of `time.monotonic` at which to stop; None for never.

    Attributes:
        began: Iterations that were finished when the training started.
        done: Iterations that are finished now, earlier ones included.
        expired: Whether the clock has stopped the training.
    """

    def __init__(self, until: float | None) -> None:
        self._until = until
        self._first: tuple[int, float] | None = None
        self._last = (0, 0.0)
        self.began = self.done = 0
        self.expired = False

    def started(self, facts: TrainingFacts) -> None:
        """Start the clock; see `Observer`."""
        self.began = self.done = facts.done

    def step(self, iteration: int, log: Mapping[str, float], times: Times) -> None:
        """Look at the clock after a step; see `Observer`."""
        del log, times
        now = time.monotonic()
        self.done, self._last = iteration, (iteration, now)
        # the first steps of a process are slower than all others
        self._first = self._first or self._last
        if self._until is not None and now >= self._until and not self.expired:
            self.expired = True
            signal.raise_signal(signal.SIGTERM)

    @property
    def speed(self) -> float | None:
        """Iterations per second without the first; None if there were too few."""
        if self._first is None or self._last[0] == self._first[0]:
            return None
        return (self._last[0] - self._first[0]) / max(self._last[1] - self._first[1], 1e-9)


@dataclass(frozen=True)
class Paced:
    """Course of a paced training.

    Args:
        iterations: Number of iterations that were run, those before it included.
        seconds: Time that it took.
        stopped: The signal of someone else that ended it early, or None.
    """

    iterations: int
    seconds: float
    stopped: signal.Signals | None = None


def run_paced(segment: Callable[[int, Clock], signal.Signals | None], seconds: float) -> Paced:
    """Train for a time.

    Args:
        segment: Function that trains from where the last call ended to an iteration, watched by the
            clock; returns the signal that stopped it, or None at the end.
        seconds: Time to train.

    Returns:
        Course of the training.

    Raises:
        ValueError: `seconds` is not positive.
    """
    if seconds <= 0:
        raise InputError(f"the time to train must be positive, received {seconds:g} s")
    started, total, setup = time.monotonic(), _UNKNOWN, 0.0
    for share in SHARES:
        begun = time.monotonic()
        if share * seconds - (begun - started) < _SETUPS * setup:
            continue
        clock = Clock(started + share * seconds)
        stopped = segment(total, clock)
        now = time.monotonic()
        used = now - started
        if not clock.expired and (stopped is not None or used > (1 - _GOOD_ENOUGH) * seconds):
            return Paced(clock.done, used, stopped)
        made = clock.done - clock.began
        speed = clock.speed or made / (now - begun)
        setup = max(0.0, now - begun - made / speed)
        left = seconds - used - setup
        total = clock.done + max(1, round(speed * left))
    clock = Clock(None)
    stopped = segment(total, clock)
    return Paced(clock.done, time.monotonic() - started, stopped)
