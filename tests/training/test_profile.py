"""The profile's shares, and its end."""

from __future__ import annotations

import re

import pytest

from semanir_arch.commands.train import main
from semanir_arch.training import profile as profiling
from semanir_arch.training.observer import Times
from semanir_arch.training.profile import WARMUP, Profile, ProfileFinished
from tests.training.watching import facts


class Clock:
    """Goes on only when it is told to."""

    def __init__(self):
        self.seconds = 0.0

    def perf_counter(self):
        return self.seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(profiling, "time", clock)
    return clock


def iterate(profile, model, clock, iteration):
    """20 ms: 4 of data, 3 forward, two parts of 5 backward, 3 of anything else."""
    with model.phase("forward"):
        clock.seconds += 0.003
    for _ in range(2):
        with model.phase("backward"):
            clock.seconds += 0.005
    profile.step(iteration, {}, Times(data=0.004, total=0.02))


def test_shares_are_measured_after_a_warm_up_and_add_up(clock):
    profile, training = Profile(3), facts({}, total_iter=100)
    profile.started(training)
    with training.model.phase("forward"):
        clock.seconds += 5
    for iteration in range(1, WARMUP + 3):
        iterate(profile, training.model, clock, iteration)
    with pytest.raises(ProfileFinished) as end:
        iterate(profile, training.model, clock, WARMUP + 3)
    lines = str(end.value).splitlines()
    assert lines[0].startswith("20.0 ms per iteration, mean of 3 after 5 for warm-up")
    assert [line.split() for line in lines[1:5]] == [
        ["data", "wait", "4.0", "ms", "20.0%"],
        ["forward", "3.0", "ms", "15.0%"],
        ["backward", "10.0", "ms", "50.0%"],
        ["other", "3.0", "ms", "15.0%"],
    ]
    assert lines[5].startswith("Memory at most: ")


def test_a_training_that_is_too_short_is_refused():
    with pytest.raises(ValueError, match="only 24 iterations left"):
        Profile(20).started(facts({}, total_iter=30, done=6))
    with pytest.raises(ValueError, match="received 0"):
        Profile(0)


@pytest.mark.parametrize(
    ("model", "parts"),
    [
        ("RestorationModel", ["data wait", "forward", "backward", "step", "other"]),
        ("SRModel", ["data wait", "other"]),
    ],
)
def test_the_flag_prints_the_table_and_leaves_nothing(work, capsys, model, parts):
    text = (work / "train.yml").read_text().replace("RestorationModel", model)
    (work / "train.yml").write_text(text.replace("  protocol: denoise_rgb\n", ""))
    before = sorted(work.rglob("*"))
    assert main(["-opt", "train.yml", "--profile", "2", "--force_yml", "train:total_iter=9"]) == 0
    printed = capsys.readouterr().out
    assert re.findall(r"^  (.+?) +[\d.]+ ms", printed, re.MULTILINE) == parts
    assert sorted(work.rglob("*")) == before


def test_a_profile_that_cannot_be_made_is_told(work, capsys):
    assert main(["-opt", "train.yml", "--profile", "20"]) == 2
    assert "error: --profile: received 20" in capsys.readouterr().err
