"""The sensor's noise, against the moments that it must have."""

from __future__ import annotations

import math

import numpy as np
import pytest

from semanir_arch.data.degradations.camera_noise import (
    SensorNoise,
    read_noise_of,
    sensor_noise,
)
from tests.each import each

SIDE = 500
FLAT = np.full((SIDE, SIDE), 0.3, np.float32)


def record(noise, plane=FLAT, seed=0):
    return sensor_noise(plane, noise, np.random.default_rng(seed)).astype(np.float64)


@each("gain", [1e-4, 1e-3, 1e-2])
@each("level", [0.02, 0.3, 0.6])
def test_the_variance_is_gain_times_light_plus_that_of_reading(gain, level):
    read = 0.01
    recorded = record(SensorNoise(gain, read), np.full_like(FLAT, level))
    expected = gain * level + read**2
    # four standard errors of a variance of nearly normal numbers
    assert recorded.var() == pytest.approx(expected, rel=4 * math.sqrt(2 / SIDE**2) + 0.005)
    assert recorded.mean() == pytest.approx(level, abs=4 * math.sqrt(expected) / SIDE)


def test_shot_noise_is_skewed_as_counts_are():
    gain, level = 1e-2, 0.2
    recorded = record(SensorNoise(gain, 0), np.full_like(FLAT, level))
    third = ((recorded - recorded.mean()) ** 3).mean()
    assert third == pytest.approx(gain**2 * level, rel=0.15)
    counts = recorded / gain
    np.testing.assert_allclose(counts, counts.round(), atol=1e-3)


def test_rows_and_columns_have_offsets_of_their_own():
    noise = SensorNoise(0, 0.01, row=0.02, column=0.005)
    recorded = record(noise)
    inside = 0.01**2 / SIDE
    assert recorded.mean(1).var() == pytest.approx(0.02**2 + inside, rel=0.3)
    assert recorded.mean(0).var() == pytest.approx(0.005**2 + inside, rel=0.3)
    plain = record(SensorNoise(0, 0.01))
    assert plain.mean(1).var() == pytest.approx(inside, rel=0.3)
    assert plain.mean(0).var() == pytest.approx(inside, rel=0.3)


def test_sensitivities_differ_in_proportion_to_the_light():
    noise = SensorNoise(0, 0, spread=0.02)
    assert record(noise).std() == pytest.approx(0.3 * 0.02, rel=0.02)
    assert record(noise, FLAT / 3).std() == pytest.approx(0.1 * 0.02, rel=0.02)


def test_values_below_black_are_lost_only_where_the_camera_clips():
    dark = np.zeros_like(FLAT)
    assert record(SensorNoise(0, 0.01), dark).mean() == pytest.approx(0, abs=1e-4)
    clipped = record(SensorNoise(0, 0.01, is_clipped=True), dark)
    assert clipped.min() == 0
    # the mean of a normal number's positive part
    assert clipped.mean() == pytest.approx(0.01 / math.sqrt(2 * math.pi), rel=0.02)


def test_white_is_the_most_a_sensor_records():
    assert record(SensorNoise(0.01, 0.1), np.ones_like(FLAT)).max() == 1


def test_read_noise_grows_with_shot_noise_along_the_fitted_line():
    first, second = read_noise_of(1e-3), read_noise_of(1e-2)
    assert math.log(second**2 / first**2) / math.log(10) == pytest.approx(2.18)
    assert first**2 == pytest.approx(math.exp(1.2) * 1e-3**2.18)
    assert read_noise_of(1e-3, 0.5) == pytest.approx(first * math.exp(0.25))
