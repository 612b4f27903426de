"""Steps of random degradations: filtering, resizing, noise and the hook for more of it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from semanir_arch.data.degradations import random_steps
from semanir_arch.data.degradations.blur_kernels import gaussian_kernel, sinc_kernel
from semanir_arch.data.degradations.levels import parse_level
from semanir_arch.data.degradations.random_steps import add_noise, correlate, rescale
from tests.each import each
from tests.helpers import make_image

SIGMA = parse_level(10, "sigma", 0, 255)
NOISE = {"noise_sigma": SIGMA, "poisson_scale": SIGMA, "noise_colors": {"color": 1.0}}


def rng(seed=0):
    return np.random.default_rng(seed)


def lopsided():
    kernel = rng().random((7, 7)).astype(np.float32)
    return kernel / kernel.sum()


@each("channels", [1, 3])
@each(
    "kernel",
    [
        gaussian_kernel(21, 0.4),
        gaussian_kernel(21, 3.0),
        gaussian_kernel(15, 3.0, 1.0, 0.5),
        gaussian_kernel(9, 2.0, profile="plateau"),
        sinc_kernel(13, 1.2),
        lopsided(),
    ],
)
def test_filtering_is_scipys(kernel, channels):
    image = make_image((40, 33, channels), np.float32)
    expected = [ndimage.correlate(image[..., c], kernel, mode="mirror") for c in range(channels)]
    np.testing.assert_allclose(correlate(image, kernel), np.stack(expected, 2), atol=1e-5)


def test_sizes_follow_direction_range_and_strength():
    image = make_image((40, 60, 3), np.float32)
    factor, modes = parse_level([0.5, 1.5], "factor", 0, 4), {"area": 1.0}

    def sizes(direction, strength=1.0):
        return [
            rescale(image, (40, 60), {direction: 1.0}, factor, modes, strength, rng(seed)).shape[0]
            for seed in range(200)
        ]

    assert 38 >= np.mean(sizes("down")) >= 28
    assert min(sizes("down")) >= 20
    assert 40 <= min(sizes("up")) < max(sizes("up")) <= 60
    assert set(sizes("keep")) == set(sizes("up", 0.0)) == {40}


def test_strength_scales_the_noise():
    flat = np.full((128, 128, 3), 0.5, np.float32)
    for kind, factor in (("gaussian", 1), ("speckle", 0.5)):
        noisy = add_noise(flat, kind, NOISE, 0.5, rng())
        assert (noisy - flat).std() * 255 == pytest.approx(5 * factor, rel=0.03)
        np.testing.assert_array_equal(add_noise(flat, kind, NOISE, 0, rng()), flat)


def test_noise_of_other_modules_comes_through_the_hook_and_never_is_left_out(monkeypatch):
    image = make_image((8, 8, 3), np.float32)
    monkeypatch.setattr(random_steps, "NOISES", {})
    with pytest.raises(ValueError, match="kind 'camera' is not here; available: gaussian, "):
        add_noise(image, "camera", NOISE, 0.5, rng())
    seen = []

    def camera(picture, strength, random):
        seen.append((picture.shape, strength, random.random()))
        return picture + 2

    random_steps.NOISES["camera"] = camera
    assert (add_noise(image, "camera", NOISE, 0.5, rng()) == 1).all()
    assert seen[0][:2] == ((8, 8, 3), 0.5)
