"""Both recipes for real-world damage: sizes, repeatability, frequencies, and what they leave."""

from __future__ import annotations

import numpy as np
import pytest

from semanir_arch.data.degradations import random_steps, second_order, shuffled
from semanir_arch.data.degradations.declaration import parse_settings
from semanir_arch.data.degradations.resampling import resize
from tests.data.degradations.test_blur_kernels import moments
from tests.each import each

RECIPES = {
    "second_order": (second_order.second_order, second_order.SETTINGS),
    "shuffled": (shuffled.shuffled, shuffled.SETTINGS),
}


def rng(seed=0):
    return np.random.default_rng(seed)


def picture(height=48, width=40, channels=3):
    rows, columns = np.mgrid[:height, :width]
    waves = [0.5 + 0.4 * np.sin(rows / (4 + c)) * np.cos(columns / 6) for c in range(channels)]
    return np.stack(waves, axis=2).astype(np.float32)


@each("name", RECIPES)
@each("scale", [1, 2, 3, 4])
@each("channels", [1, 3])
def test_results_have_the_size_of_the_scale_and_8_bit_levels(name, scale, channels):
    function, declared = RECIPES[name]
    image = picture(scale * 17, scale * 12, channels)
    before = image.copy()
    for seed in range(4):
        damaged = function(image, scale, parse_settings(declared, {}), rng(seed))
        assert damaged.shape == (17, 12, channels)
        assert damaged.dtype == np.float32
        np.testing.assert_allclose(damaged * 255, np.rint(damaged * 255), atol=1e-4)
        assert 0 <= damaged.min() <= damaged.max() <= 1
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("name", RECIPES)
def test_the_generator_alone_decides(name):
    function, declared = RECIPES[name]
    settings = parse_settings(declared, {})
    first, again, other = (function(picture(), 2, settings, rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.5


@pytest.mark.parametrize("name", RECIPES)
def test_damage_grows_with_the_strength_and_0_is_nearly_a_resize(name):
    function, declared = RECIPES[name]
    image = picture(96, 80)
    errors = []
    for strength in (0, 0.3, 1):
        settings = parse_settings(declared, {"strength": strength})
        seen = [function(image, 1, settings, rng(seed)) for seed in range(12)]
        errors.append(np.mean([(result - image) ** 2 for result in seen]))
    assert errors == sorted(errors)
    assert errors[0] < 3e-4 < 5e-4 < errors[2]


def test_kernels_come_in_their_shares_and_widths():
    given = {"kernels": {"iso": 1}, "sinc_prob": 0.25, "kernel_size": 21, "blur_sigma": [1, 2]}
    settings = parse_settings(second_order.SETTINGS, given)
    random = rng()
    kernels = [second_order.draw_kernel(settings, "", 1, random) for _ in range(800)]
    rings = [kernel for kernel in kernels if kernel.min() < 0]
    assert len(rings) / 800 == pytest.approx(0.25, abs=0.04)
    widths = [moments(kernel)[1][0, 0] ** 0.5 for kernel in kernels if kernel.min() >= 0]
    assert 0.99 <= min(widths) < max(widths) <= 2.01
    assert np.mean(widths) == pytest.approx(1.5, abs=0.03)


def quiet(**changed):
    """Second order without blur, noise and compression."""
    nothing = {
        **{f"blur_prob{end}": 0 for end in ("", "2")},
        **{f"noise{end}": {"none": 1} for end in ("", "2")},
        **{f"jpeg_prob{end}": 0 for end in ("", "2")},
        **{f"resize{end}": {"keep": 1} for end in ("", "2")},
        "final_sinc_prob": 0,
    }
    return parse_settings(second_order.SETTINGS, {**nothing, **changed})


def test_without_its_parts_second_order_is_one_resize():
    settings = quiet(resize_modes2={"bilinear": 1})
    expected = resize(picture(), 24, 20, "bilinear")
    damaged = second_order.second_order(picture(), 2, settings, rng())
    np.testing.assert_allclose(damaged, expected, atol=0.51 / 255)


@pytest.mark.parametrize("end", ["", "2"])
def test_noise_of_both_stages_has_its_deviation(end):
    flat = np.full((128, 128, 3), 0.5, np.float32)
    changed = {f"noise{end}": {"gaussian": 1}, f"noise_sigma{end}": 12}
    settings = quiet(**changed, **{f"noise_colors{end}": {"color": 1}})
    damaged = second_order.second_order(flat, 1, settings, rng())
    assert (damaged - flat).std() * 255 == pytest.approx(12, rel=0.03)


def test_the_last_sinc_removes_high_frequencies():
    noise = rng().random((96, 96, 1)).astype(np.float32)
    settings = quiet(final_sinc_prob=1, sinc_cutoff_small=1.2, kernel_size2=21)
    damaged = second_order.second_order(noise, 1, settings, rng())[..., 0]
    frequencies = 2 * np.pi * np.fft.fftfreq(96)
    radius = np.hypot(frequencies[:, None], frequencies)
    before, after = (np.abs(np.fft.fft2(x)) ** 2 for x in (noise[..., 0], damaged))
    assert after[radius > 1.6].mean() < 0.1 * before[radius > 1.6].mean()


def test_shuffled_steps_come_in_every_order(monkeypatch):
    order = []
    for name in ("_blur", "_reduce", "add_noise"):

        def step(image, *args, name=name):
            order.append(name)
            return image

        monkeypatch.setattr(shuffled, name, step)
    settings = parse_settings(shuffled.SETTINGS, {"jpeg_prob": 0, "camera_prob": 0})
    for seed in range(60):
        shuffled.shuffled(picture(16, 16), 1, settings, rng(seed))
    assert len(order) == 60 * 4
    runs = {tuple(order[i : i + 4]) for i in range(0, len(order), 4)}
    # four steps, two of them alike
    assert len(runs) == 12


def test_a_quarter_of_shuffled_pictures_get_a_cameras_noise_and_second_order_none(monkeypatch):
    counted = []
    monkeypatch.setitem(
        random_steps.NOISES, "camera", lambda image, strength, random: counted.append(1) or image
    )
    for name, low, high in (("shuffled", 72, 130), ("second_order", 0, 0)):
        function, declared = RECIPES[name]
        settings = parse_settings(declared, {})
        counted.clear()
        for seed in range(400):
            function(picture(16, 16), 2, settings, rng(seed))
        # of 400, the mean of 100 and three standard deviations
        assert low <= len(counted) <= high
