"""The demonstrations: what all of them promise, and what each of them looks like in numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from semanir_arch.data.degradations.blur import blur
from semanir_arch.data.degradations.defocus import disc_kernel
from semanir_arch.data.degradations.low_light import low_light
from semanir_arch.data.degradations.motion import motion_kernel
from semanir_arch.data.degradations.noise import gaussian_noise
from semanir_arch.data.degradations.rain import rain_streaks
from semanir_arch.data.degradations.raindrops import raindrops
from semanir_arch.data.degradations.snow import snow
from tests.each import each

STRONG = {
    "noise": lambda image, generator: gaussian_noise(image, 25, generator),
    "motion": lambda image, generator: blur(image, motion_kernel(12, 0.5, generator)),
    "rain": lambda image, generator: rain_streaks(image, 60, 15, 10, 0.8, generator),
    "snow": lambda image, generator: snow(image, 60, 3, 10, 0.1, generator),
    "raindrops": lambda image, generator: raindrops(image, 20, 8, generator),
    "low_light": lambda image, generator: low_light(image, 0.2, 500, 2, generator),
}

NONE = {
    "motion": lambda image, generator: blur(image, motion_kernel(0, 0.5, generator)),
    "defocus": lambda image, generator: blur(image, disc_kernel(0)),
    "rain": lambda image, generator: rain_streaks(image, 0, 15, 10, 0.8, generator),
    "clear rain": lambda image, generator: rain_streaks(image, 60, 15, 10, 0, generator),
    "snow": lambda image, generator: snow(image, 0, 3, 10, 0, generator),
    "raindrops": lambda image, generator: raindrops(image, 0, 8, generator),
}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def scene(channels=3, height=64, width=56):
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    waves = [0.5 + 0.35 * torch.sin(rows / (3 + c) + columns / 7) for c in range(channels)]
    return torch.stack(waves).float()


@each("name", STRONG)
@each("channels", [1, 3])
def test_the_generator_alone_decides(name, channels):
    image = scene(channels)
    before, state = image.clone(), torch.get_rng_state()
    first, again, other = (STRONG[name](image, generator(seed)) for seed in (1, 1, 2))
    assert first.shape == image.shape
    assert first.dtype == torch.float32
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(image, before)
    assert torch.equal(torch.get_rng_state(), state)


@each("name", [name for name in STRONG if name != "noise"])
@each("size", [(1, 1), (1, 30), (5, 4), (64, 56)])
def test_every_size_stays_in_range(name, size):
    for image in (torch.zeros(3, *size), torch.ones(3, *size), torch.rand(3, *size)):
        degraded = STRONG[name](image, generator())
        assert degraded.shape == image.shape
        assert -1e-6 <= degraded.min() <= degraded.max() <= 1 + 1e-6


@pytest.mark.parametrize("name", NONE)
def test_nothing_of_it_leaves_the_image_as_it_is(name):
    torch.testing.assert_close(NONE[name](scene(), generator()), scene(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["motion", "defocus"])
def test_blur_keeps_the_light(name):
    kernel = disc_kernel(4.3) if name == "defocus" else motion_kernel(15, 0.4, generator())
    flat = torch.full((3, 40, 40), 0.3)
    torch.testing.assert_close(blur(flat, kernel), flat, rtol=0, atol=1e-5)
    point = torch.zeros(1, 61, 61)
    point[0, 30, 30] = 1
    light = blur(point, kernel).double() ** 2.2
    assert light.sum().item() == pytest.approx(1, abs=1e-3)
    reach = len(kernel) // 2
    inside = light[0, 30 - reach : 31 + reach, 30 - reach : 31 + reach].numpy()
    np.testing.assert_allclose(inside, kernel[::-1, ::-1], rtol=0, atol=1e-4)


@pytest.mark.parametrize("radius", [0.3, 1, 2.5, 7, 20])
def test_disc_is_round_and_as_large_as_it_says(radius):
    kernel = disc_kernel(radius)
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(kernel, kernel.T)
    np.testing.assert_array_equal(kernel, kernel[::-1, ::-1])
    offsets = np.arange(len(kernel)) - len(kernel) // 2
    if radius >= 2.5:
        # mean square of a coordinate over a disc, and over the square of a pixel
        spread = (kernel.sum(axis=1) * offsets**2).sum()
        assert spread == pytest.approx(radius**2 / 4 + 1 / 12, rel=0.03)
        assert (kernel > 0).sum() == pytest.approx(math.pi * radius**2, rel=0.35)


@pytest.mark.parametrize("seed", range(5))
def test_a_steady_camera_moves_in_a_straight_line(seed):
    kernel = motion_kernel(30, 0, generator(seed))
    rows, columns = np.mgrid[: len(kernel), : len(kernel)] - len(kernel) // 2
    spread = np.cov(rows.ravel(), columns.ravel(), aweights=kernel.ravel(), ddof=0)
    across, along = np.linalg.eigvalsh(spread)
    assert along == pytest.approx(30**2 / 12, rel=0.03)
    assert across < 0.3


@pytest.mark.parametrize("shake", [0.2, 0.6, 1.0])
def test_a_shaking_camera_draws_curves(shake):
    for seed in range(5):
        kernel = motion_kernel(40, shake, generator(seed))
        assert kernel.sum() == pytest.approx(1, abs=1e-5)
        assert kernel.min() >= 0
        assert len(kernel) % 2 == 1
        assert len(kernel) <= 45
        rows, columns = np.nonzero(kernel > 0)
        for places in (rows, columns):
            assert abs(places.min() + places.max() - (len(kernel) - 1)) <= 2, "must be centred"


def test_rain_brightens_and_is_as_dense_at_the_border_as_inside():
    dark = torch.full((1, 400, 400), 0.2)
    rain = rain_streaks(dark, 100, 30, 20, 0.8, generator())[0] - 0.2
    assert rain.min() > -1e-6
    edge = torch.cat([rain[:12].flatten(), rain[-12:].flatten()]).mean()
    assert edge.item() == pytest.approx(rain[100:300].mean().item(), rel=0.15)
    assert rain_streaks(dark, 300, 30, 20, 0.8, generator()).mean() > 0.2 + 1.5 * rain.mean()


@pytest.mark.parametrize("angle", [-50, 0, 50])
def test_streaks_lie_along_the_angle(angle):
    """Shifted along the streaks the picture hardly changes, shifted across it does."""
    rain = rain_streaks(torch.zeros(1, 300, 300), 40, 40, angle, 1, generator())[0].numpy()

    def change(degrees):
        down = round(8 * math.cos(math.radians(degrees)))
        right = round(8 * math.sin(math.radians(degrees)))
        moved = np.roll(rain, (down, right), axis=(0, 1))
        return np.square(rain - moved)[10:-10, 10:-10].mean()

    assert change(angle) < 0.7 * min(change(angle + 45), change(angle - 45))


def test_snow_mixes_white_into_the_scene():
    dark = torch.zeros(3, 200, 200)
    light, heavy = (snow(dark, amount, 4, 0, 0, generator()) for amount in (20, 100))
    assert 0.01 < light.mean() < heavy.mean() < 0.6
    assert heavy.max() > 0.85
    veil = snow(dark, 0, 4, 0, 0.3, generator())
    torch.testing.assert_close(veil, torch.full_like(veil, 0.3 * 0.97))
    white = torch.ones(3, 50, 50)
    assert snow(white, 100, 4, 0, 0.2, generator()).min() > 0.9


def test_drops_change_their_places_only():
    image = scene(3, 200, 200)
    few, many = (raindrops(image, amount, 12, generator()) != image for amount in (1, 10))
    assert 0.001 < few.float().mean() < 0.1
    assert few.float().mean() < many.float().mean() < 0.8


def test_a_drop_shows_the_scene_upside_down():
    """Sky above, ground below; within drops far from both, the sky is at the bottom."""
    image = torch.zeros(1, 300, 300)
    image[:, :150] = 1
    dropped = raindrops(image, 3, 25, generator(3))[0]
    band = slice(105, 150)
    assert (dropped[band] < 0.3).sum() > 50, "ground seen within the sky"
    assert (dropped[150:195] > 0.6).sum() > 50, "sky seen within the ground"


def test_low_light_has_the_noise_of_its_electrons():
    """Mean and variance of the light follow from exposure, electrons and read noise."""
    value, exposure, electrons, read_noise = 0.8, 0.4, 1000, 5
    flat = torch.full((1, 400, 400), value, dtype=torch.float32)
    light = low_light(flat, exposure, electrons, read_noise, generator()).double() ** 2.2
    expected = exposure * value**2.2
    variance = (expected * electrons + read_noise**2) / electrons**2
    assert light.mean().item() == pytest.approx(expected, rel=0.005)
    assert light.var().item() == pytest.approx(variance, rel=0.02)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: disc_kernel(-1), r"radius must lie in \[0, 32\], received -1"),
        (lambda: motion_kernel(65, 0, generator()), r"length must lie in \[0, 64\], received 65"),
        (lambda: motion_kernel(5, 1.5, generator()), r"shake must lie in \[0, 1\], received 1.5"),
        (
            lambda: rain_streaks(scene(), -1, 9, 0, 1, generator()),
            r"amount must lie in \[0, 1000\]",
        ),
        (lambda: snow(scene(), 9, 3, 90, 0, generator()), r"wind must lie in \[-60, 60\]"),
        (lambda: raindrops(scene(), 1, 0, generator()), r"size must lie in \[1, 64\], received 0"),
        (
            lambda: low_light(scene(), 0.1, 0, 1, generator()),
            r"electrons must lie in \[1, 1e\+06\], received 0",
        ),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
