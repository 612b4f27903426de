"""Noise has the variance, covariance and spectrum that its settings say."""

from __future__ import annotations

import numpy as np
import pytest

from semanir_arch.data.degradations.noise_kinds import (
    PHOTONS,
    add_gaussian,
    add_poisson,
    add_speckle,
)


def rng(seed=0):
    return np.random.default_rng(seed)


def flat(value, channels=3, side=256):
    return np.full((side, side, channels), value, np.float32)


def covariance(noise):
    return np.cov(noise.reshape(-1, noise.shape[2]).T.astype(np.float64))


def test_colors_are_independent_and_gray_is_the_same_in_all():
    noise = add_gaussian(flat(0.5), 20, "color", rng()) - 0.5
    np.testing.assert_allclose(covariance(noise) * 255**2, 400 * np.eye(3), atol=400 * 0.03)
    gray = add_gaussian(flat(0.5), 20, "gray", rng()) - 0.5
    np.testing.assert_allclose(covariance(gray) * 255**2, np.full((3, 3), 400), rtol=0.03)


def test_a_covariance_has_the_sigma_in_its_strongest_direction_and_differs_between_draws():
    found = [
        covariance(add_gaussian(flat(0.5), 20, "covariance", rng(seed)) - 0.5) for seed in range(4)
    ]
    for matrix in found:
        assert np.linalg.eigvalsh(matrix).max() * 255**2 == pytest.approx(400, rel=0.03)
        assert np.abs(matrix[np.triu_indices(3, 1)]).max() * 255**2 > 10
    assert not np.allclose(found[0], found[1], rtol=0.1)


def test_the_spectrum_is_white():
    noise = add_gaussian(flat(0.5, 1), 20, "color", rng())[..., 0] - 0.5
    power = np.abs(np.fft.fft2(noise)) ** 2 / noise.size * 255**2
    quarters = [power[1:32, 1:32], power[100:128, 100:128], power[1:32, 100:128]]
    for part in quarters:
        assert part.mean() == pytest.approx(400, rel=0.12)


@pytest.mark.parametrize("scale", [0.5, 2.0])
@pytest.mark.parametrize("value", [0.1, 0.8])
def test_poisson_noise_has_the_variance_of_its_light(value, scale):
    noise = add_poisson(flat(value), scale, "color", rng()) - value
    expected = scale**2 * value / PHOTONS
    np.testing.assert_allclose(covariance(noise), expected * np.eye(3), atol=0.03 * expected)
    assert noise.mean() == pytest.approx(0, abs=5 * np.sqrt(expected / noise.size))


def test_gray_poisson_noise_is_that_of_luma():
    image = flat(0.0)
    image[:] = (0.9, 0.2, 0.1)
    noise = add_poisson(image, 1, "gray", rng()) - image
    luma = 0.299 * 0.9 + 0.587 * 0.2 + 0.114 * 0.1
    np.testing.assert_allclose(covariance(noise), np.full((3, 3), luma / PHOTONS), rtol=0.03)


def test_speckle_grows_with_the_image():
    deviations = [(add_speckle(flat(v), 25, "color", rng()) - v).std() * 255 for v in (0, 0.4, 0.8)]
    np.testing.assert_allclose(deviations, [0, 10, 20], rtol=0.02)


def test_an_unknown_coloring_is_refused():
    for function in (add_gaussian, add_poisson, add_speckle):
        with pytest.raises(ValueError, match="coloring must be one of color, gray, covariance"):
            function(flat(0.5, side=4), 1, "blue", rng())
