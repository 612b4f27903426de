"""Means of scores."""

from __future__ import annotations

import math

import pytest

from semanir_arch.metrics.metric_names import name_metrics
from semanir_arch.metrics.scores import Evaluation, Row, mean


@pytest.mark.parametrize(
    ("values", "expected", "left_out"),
    [
        ([28.0, 32.0], 30.0, 0),
        ([28.0, math.inf, 32.0], 30.0, 1),
        ([0.5, math.nan], 0.5, 1),
        ([math.inf, math.inf], math.inf, 0),
    ],
)
def test_means_leave_out_what_is_not_finite(values, expected, left_out):
    assert mean(values) == (expected, left_out)


def test_the_mean_of_nothing_is_not_a_number():
    average, left_out = mean([])
    assert math.isnan(average)
    assert left_out == 0


def test_an_evaluation_averages_the_scores_of_the_output():
    rows = [Row("a", {"psnr": 20.0}, {"psnr": 30.0}), Row("b", {}, {"psnr": 34.0})]
    assert Evaluation("set", "denoise_rgb", rows).means() == {"psnr": 32.0}
    assert Evaluation("set", None).means() == {}


def test_missing_targets_are_told():
    extras = name_metrics({"y": {"type": "calculate_psnr", "crop_border": 0}}, "denoise_rgb")
    rows = [Row("a", {}, {}), Row("b", {}, {"psnr": 30.0, "ssim": 0.9, "y": 31.0})]
    assert Evaluation("set", "denoise_rgb", rows, extras).notes() == [
        "set: 1 of 2 images have no target, so that protocol denoise_rgb, val:metrics:y are not "
        "measured on them."
    ]
    assert Evaluation("set", "denoise_rgb", rows[1:], extras).notes() == []
    assert Evaluation("set", None, rows[:1]).notes() == []
