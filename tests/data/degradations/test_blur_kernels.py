"""Kernels have the moments and spectra that their formulas promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special

from semanir_arch.data.degradations.blur_kernels import gaussian_kernel, sinc_kernel


def moments(kernel):
    """Mean and covariance of a kernel as a distribution over (x, y)."""
    steps = np.arange(len(kernel)) - (len(kernel) - 1) / 2
    rows, columns = np.meshgrid(steps, steps, indexing="ij")
    places = np.stack([columns.ravel(), rows.ravel()])
    weights = kernel.astype(np.float64).ravel()
    mean = places @ weights
    return mean, (places * weights) @ places.T - np.outer(mean, mean)


@pytest.mark.parametrize(
    ("along", "across", "angle"), [(1.0, 1.0, 0), (3.0, 1.2, 0), (3.0, 1.2, 0.7), (2.0, 2.5, -2.4)]
)
def test_a_gaussian_has_the_covariance_that_was_asked_for(along, across, angle):
    kernel = gaussian_kernel(31, along, across, angle)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    mean, covariance = moments(kernel)
    np.testing.assert_allclose(mean, 0, atol=1e-6)
    expected = turn @ np.diag([along**2, across**2]) @ turn.T
    np.testing.assert_allclose(covariance, expected, rtol=0.01, atol=1e-5)
    assert kernel.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("shape", [0.6, 1.0, 2.0, 4.0])
def test_generalised_gaussians_have_the_variance_of_their_integral(shape):
    """The second moment of exp(-r^2b / 2) in the plane, by the gamma function."""
    # the box-like ones want many pixels, those with long tails a small part of the kernel
    sigma = {0.6: 1.2, 1.0: 2.0}.get(shape, 8.0)
    covariance = moments(gaussian_kernel(51, sigma, profile="generalized", shape=shape))[1]
    ratio = special.gamma(2 / shape) / special.gamma(1 / shape)
    expected = sigma**2 * 2 ** (1 / shape) * ratio / 2
    np.testing.assert_allclose(np.diag(covariance), expected, rtol=0.04)


def test_a_shape_of_1_is_the_gaussian_and_a_plateau_is_flat_inside():
    plain = gaussian_kernel(21, 2.0, 3.0, 0.3)
    np.testing.assert_allclose(
        gaussian_kernel(21, 2.0, 3.0, 0.3, profile="generalized", shape=1.0), plain, atol=1e-7
    )
    plateau = gaussian_kernel(21, 4.0, profile="plateau", shape=4.0)
    row = plateau[10] / plateau[10, 10]
    # by the formula 1 / (1 + r^8) in units of sigma
    np.testing.assert_allclose(row[10:], 1 / (1 + (np.arange(11) / 4.0) ** 8), rtol=1e-5)


@pytest.mark.parametrize("cutoff", [math.pi / 4, math.pi / 2])
def test_sinc_passes_what_lies_below_its_cutoff_and_stops_the_rest(cutoff):
    kernel = sinc_kernel(51, cutoff)
    spectrum = np.abs(np.fft.fft2(kernel, (256, 256)))
    frequencies = 2 * math.pi * np.fft.fftfreq(256)
    radius = np.hypot(frequencies[:, None], frequencies)
    assert spectrum[radius < 0.8 * cutoff].mean() == pytest.approx(1, abs=0.03)
    assert spectrum[(radius > 1.25 * cutoff) & (radius < math.pi)].mean() < 0.03
    assert kernel.min() < 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gaussian_kernel(8, 1), "side must be odd, 1 to 51, received 8"),
        (lambda: gaussian_kernel(7, 0), r"sigma must lie in \[0.01, 20\]"),
        (lambda: gaussian_kernel(7, 1, 30), r"sigma must lie in \[0.01, 20\]"),
        (lambda: gaussian_kernel(7, 1, profile="box"), "profile must be one of gaussian, "),
        (lambda: sinc_kernel(7, 4), "cutoff must lie in"),
    ],
)
def test_what_is_no_kernel_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
