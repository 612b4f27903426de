"""Trainings end when the time does, whatever the machine does meanwhile."""

from __future__ import annotations

import signal
from types import SimpleNamespace

import pytest

from semanir_arch.shipping import pacing
from semanir_arch.shipping.pacing import run_paced
from semanir_arch.training.observer import Times, TrainingFacts
from semanir_arch.utils.signals import catch_signals


class Machine:
    """A training on a simulated clock.

    Args:
        seconds: Of one iteration, from the time.
        setup: Seconds before the first iteration of a segment.
        interrupted: Time at which the user presses Ctrl-C.
    """

    def __init__(self, monkeypatch, seconds, setup=0.0, interrupted=None):
        self.now, self.done, self.totals = 0.0, 0, []
        self.seconds, self.setup, self.interrupted = seconds, setup, interrupted
        # the name in that module alone: servers of other tests wait by the real clock
        monkeypatch.setattr(pacing, "time", SimpleNamespace(monotonic=lambda: self.now))

    def segment(self, total, clock):
        self.totals.append(total)
        self.now += self.setup
        with catch_signals() as stop:
            clock.started(TrainingFacts({}, None, self.done, None, None))
            while self.done < total:
                self.now += self.seconds(self.now)
                self.done += 1
                if self.interrupted is not None and self.now >= self.interrupted:
                    signal.raise_signal(signal.SIGINT)
                clock.step(self.done, {}, Times(0, 0))
                if stop.signal is not None:
                    return stop.signal
        return None


@pytest.mark.parametrize(
    ("seconds", "setup", "tolerance"),
    [
        (lambda now: 0.1, 0.0, 0.01),
        (lambda now: 0.1, 3.0, 0.02),
        (lambda now: 0.1 if now < 50 else 0.2, 1.0, 0.02),
        (lambda now: 0.3 if now < 50 else 0.1, 1.0, 0.02),
        (lambda now: 2.5, 0.0, 0.05),
    ],
    ids=["steady", "slow start", "slower", "faster", "few iterations"],
)
def test_the_schedule_ends_with_the_time(monkeypatch, seconds, setup, tolerance):
    machine = Machine(monkeypatch, seconds, setup)
    paced = run_paced(machine.segment, 100.0)
    assert machine.now == pytest.approx(100, rel=tolerance)
    assert paced.stopped is None
    assert paced.iterations == machine.done == machine.totals[-1]
    assert paced.seconds == machine.now


def test_a_training_slower_than_its_time_still_ends(monkeypatch):
    machine = Machine(monkeypatch, lambda now: 30.0)
    paced = run_paced(machine.segment, 10.0)
    assert paced.iterations == machine.totals[-1]
    assert machine.now <= 10 + 30 * (len(pacing.SHARES) + 1)


def test_a_slow_start_is_not_made_often(monkeypatch):
    machine = Machine(monkeypatch, lambda now: 0.05, setup=8.0)
    run_paced(machine.segment, 200.0)
    assert machine.now == pytest.approx(200, rel=0.03)
    assert 8.0 * len(machine.totals) <= 200 / 5


def test_an_interruption_ends_everything(monkeypatch):
    machine = Machine(monkeypatch, lambda now: 0.1, interrupted=30)
    paced = run_paced(machine.segment, 100.0)
    assert paced.stopped is signal.SIGINT
    assert machine.now == pytest.approx(30, abs=0.2)


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_no_time_is_refused(seconds):
    with pytest.raises(ValueError, match="must be positive, received"):
        run_paced(lambda total, clock: None, seconds)
