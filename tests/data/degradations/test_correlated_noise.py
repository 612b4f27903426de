"""Correlated noise against the covariance and spectrum that it is asked for."""

from __future__ import annotations

import numpy as np
import pytest

from semanir_arch.data.degradations.correlated_noise import (
    SETTINGS,
    CorrelatedNoise,
    add_correlated_noise,
    draw_correlated_noise,
)
from semanir_arch.data.degradations.declaration import parse_settings
from tests.data.degradations.statistics_of_noise import autocorrelation

FLAT = np.full((300, 300, 3), 0.5, np.float32)
MIXING = np.array([[1.0, 0.3, 0.1], [1.1, -0.2, 0.2], [0.9, 0.1, -0.6]], np.float32)


def rng(seed=0):
    return np.random.default_rng(seed)


def noise_of(kind, image=FLAT):
    return add_correlated_noise(image, kind, rng()) - add_correlated_noise(image, kind, None)


@pytest.mark.parametrize("blurs", [(0.0, 0.0), (0.8, 2.0)])
def test_colours_have_the_covariance_asked_for(blurs):
    noise = noise_of(CorrelatedNoise(0.06, MIXING, blurs)).reshape(-1, 3)
    expected = 0.06**2 * MIXING @ MIXING.T
    rounding = np.eye(3) / 255**2 / 12
    np.testing.assert_allclose(np.cov(noise.T), expected + rounding, rtol=0.06, atol=2e-5)


def test_brightness_and_colour_are_blurred_by_themselves():
    noise = noise_of(CorrelatedNoise(0.06, MIXING, (0.65, 2.0))) @ np.linalg.inv(MIXING).T
    for field, sigma, tolerance in zip(
        np.moveaxis(noise, -1, 0), (0.65, 2.0, 2.0), (0.06, 0.04, 0.04), strict=True
    ):
        for distance in (1, 2):
            expected = np.exp(-(distance**2) / (4 * sigma**2))
            for step in ((0, distance), (distance, 0)):
                assert autocorrelation(field, *step) == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("slope", [-0.8, 0.0, 0.8])
def test_strength_changes_with_brightness_as_asked(slope):
    kind = CorrelatedNoise(0.04, MIXING, slope=slope)
    strengths = [noise_of(kind, np.full_like(FLAT, level)).std() for level in (0.3, 0.5, 0.7)]
    factors = np.array(strengths) / strengths[1]
    np.testing.assert_allclose(factors, [1 - 0.4 * slope, 1, 1 + 0.4 * slope], rtol=0.03)


def test_drawn_noise_has_the_strength_drawn():
    settings = parse_settings(
        SETTINGS,
        {
            "sigma": 10,
            "slope": 0,
            "sharpen_prob": 0,
            "codec_prob": 0,
            "resize_prob": 0,
            "again_prob": 0,
        },
    )
    for seed in range(8):
        kind = draw_correlated_noise(settings, rng(seed))
        strength = np.sqrt((noise_of(kind) ** 2).mean()) * 255
        assert strength == pytest.approx(10, rel=0.04), seed


def test_the_target_knows_no_noise():
    settings = parse_settings(SETTINGS, {})
    image = rng(3).random((40, 44, 3), np.float32)
    for seed in range(20):
        kind = draw_correlated_noise(settings, rng(seed))
        noisy, target = (add_correlated_noise(image, kind, source) for source in (rng(), None))
        assert noisy.shape == target.shape
        assert (noisy != target).any()
        np.testing.assert_array_equal(target, add_correlated_noise(image, kind, None))
        if kind.sharing.total_scale == 1 and not kind.sharing.again and not kind.sharpening[0]:
            np.testing.assert_array_equal(target, image)
