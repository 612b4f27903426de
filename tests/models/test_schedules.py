"""Learning rates against closed forms, and against BasicSR's where that is right."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from semanir_arch import host
from semanir_arch.models.schedules import SCHEDULES, build_schedule, learning_rate

LENGTH = 60
MULTI_STEP = {"milestones": [10, 25, 25, 40], "gamma": 0.5}
RESTARTED = MULTI_STEP | {"restarts": [0, 30], "restart_weights": [1, 0.8]}
COSINE = {"periods": [20, 40], "restart_weights": [1, 0.5], "eta_min": 1e-5}


def basicsr_rates(name, arguments, warmup=-1):
    """Learning rates of iterations 1, 2, ... as BasicSR's own model sets them."""
    model = object.__new__(host.load("basicsr.models.base_model").BaseModel)
    model.optimizers = [torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=1e-3)]
    schedulers = host.load("basicsr.models.lr_scheduler")
    model.schedulers = [getattr(schedulers, name)(model.optimizers[0], **arguments)]
    rates = []
    for iteration in range(1, LENGTH + 1):
        model.update_learning_rate(iteration, warmup_iter=warmup)
        rates += model.get_current_learning_rate()
        model.optimizers[0].step()
    return rates


def our_rates(name, arguments, warmup=-1, constant=0):
    schedule = build_schedule({"type": name, **arguments})
    return [
        learning_rate(schedule, 1e-3, iteration, warmup, constant)
        for iteration in range(1, LENGTH + 1)
    ]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("MultiStepRestartLR", MULTI_STEP),
        ("MultiStepRestartLR", RESTARTED),
        ("CosineAnnealingRestartLR", COSINE),
    ],
)
def test_without_warm_up_the_rates_are_those_of_basicsr(name, arguments):
    assert our_rates(name, arguments) == pytest.approx(basicsr_rates(name, arguments), rel=1e-12)


def test_a_cosine_with_warm_up_has_the_rates_of_basicsr():
    expected = basicsr_rates("CosineAnnealingRestartLR", COSINE, warmup=8)
    assert our_rates("CosineAnnealingRestartLR", COSINE, warmup=8) == pytest.approx(expected)


def test_the_rate_after_a_warm_up_is_the_whole_rate():
    """BasicSR stays at 7/8 of it for the rest of the training."""
    defect = basicsr_rates("MultiStepRestartLR", MULTI_STEP, warmup=8)
    assert defect[7:10] == pytest.approx([1e-3 * 7 / 8] * 3)
    assert defect[59] == pytest.approx(1e-3 * 7 / 8 / 16)

    expected = [
        min(i / 8, 1) * 1e-3 * 0.5 ** sum(m < i for m in (10, 25, 25, 40))
        for i in range(1, LENGTH + 1)
    ]
    assert our_rates("MultiStepLR", MULTI_STEP, warmup=8) == pytest.approx(expected, rel=1e-12)


def test_a_milestone_within_the_warm_up_still_counts():
    rates = our_rates("MultiStepLR", {"milestones": [4], "gamma": 0.5}, warmup=8)
    assert rates[6:8] == pytest.approx([1e-3 * 7 / 8, 5e-4])


def test_every_period_of_the_cyclic_cosine_ends_at_its_own_rate():
    """Restormer: constant for 92k iterations, then down a cosine to 1e-6."""
    schedule = build_schedule(
        {
            "type": "CosineAnnealingRestartCyclicLR",
            "periods": [92_000, 208_000],
            "restart_weights": [1, 1],
            "eta_mins": [3e-4, 1e-6],
        }
    )
    for steps in (0, 1, 50_000, 92_000):
        assert schedule.rate(3e-4, steps) == pytest.approx(3e-4, rel=1e-12)
    for steps in (92_001, 150_000, 196_000, 299_999, 300_000):
        wave = (1 + math.cos(math.pi * (steps - 92_000) / 208_000)) / 2
        assert schedule.rate(3e-4, steps) == pytest.approx(1e-6 + (3e-4 - 1e-6) * wave, rel=1e-12)
    assert schedule.rate(3e-4, 196_000) == pytest.approx((3e-4 + 1e-6) / 2)
    assert schedule.rate(3e-4, 400_000) == pytest.approx(1e-6)


def test_a_cycle_restarts_after_its_last_step():
    schedule = build_schedule({"type": "CosineAnnealingRestartLR", **COSINE})
    assert schedule.rate(1e-3, 20) == pytest.approx(1e-5)
    restarted = 1e-5 + 0.5 * (1e-3 - 1e-5) * (1 + math.cos(math.pi / 40)) / 2
    assert schedule.rate(1e-3, 21) == pytest.approx(restarted)


def test_a_schedule_that_waits_begins_with_its_warm_up():
    waiting = our_rates("MultiStepLR", MULTI_STEP, warmup=8, constant=20)
    assert waiting[:20] == [1e-3] * 20
    assert waiting[20:] == our_rates("MultiStepLR", MULTI_STEP, warmup=8)[:40]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"type": "CosineAnnealing"}, "received 'CosineAnnealing'; did you mean 'Cosine"),
        ({}, "received None; allowed: CosineAnnealingRestartCyclicLR"),
        ({"type": "CosineAnnealingRestartLR", "periods": [1, 2]}, r"periods \[1, 2\], restart_w"),
        (
            {
                "type": "CosineAnnealingRestartCyclicLR",
                "periods": [1, 2],
                "restart_weights": [1, 1],
                "eta_mins": [0],
            },
            r"eta_mins \[0\]; one entry per cycle is needed",
        ),
        (
            {"type": "MultiStepRestartLR", "milestones": [], "restarts": [0, 9]},
            r"restarts \[0, 9\], restart_weights \[1\]",
        ),
    ],
)
def test_what_is_not_allowed_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build_schedule(options)


def test_basicsr_has_no_cyclic_schedule():
    schedulers = host.load("basicsr.models.lr_scheduler")
    assert not hasattr(schedulers, "CosineAnnealingRestartCyclicLR")
    assert "CosineAnnealingRestartCyclicLR" in SCHEDULES
