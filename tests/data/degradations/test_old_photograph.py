"""Old photographs: contrast, tone, grain, dots and scratches, in numbers."""

from __future__ import annotations

import numpy as np
import pytest

from semanir_arch.data.degradations.declaration import parse_settings
from semanir_arch.data.degradations.old_photograph import SETTINGS, age, fade, grain, halftone, tone
from semanir_arch.data.degradations.scratches import draw_dust, draw_scratches
from tests.data.degradations.test_damage import Watched
from tests.data.degradations.test_second_order import picture, rng
from tests.each import each


def flat(value, channels=3, side=128):
    return np.full((side, side, channels), value, np.float32)


def test_fading_is_linear_and_loses_contrast():
    ramp = np.linspace(0, 1, 12, dtype=np.float32).reshape(1, 4, 3)
    np.testing.assert_array_equal(fade(ramp, 0), ramp)
    faded = fade(ramp, 0.5).ravel()
    assert np.ptp(np.diff(faded)) < 1e-6
    assert 0.1 < faded[0] < faded[-1] < 1
    assert np.ptp(fade(ramp, 1)) < np.ptp(faded) < 1


def test_sepia_is_warm_and_the_rest_is_left_alone():
    red, green, blue = tone(flat(0.5), "sepia")[0, 0]
    assert red > green > blue
    np.testing.assert_array_equal(tone(flat(0.5), "gray"), flat(0.5))


def test_grain_has_its_deviation_at_middle_gray_and_none_at_the_ends():
    for size in (0.5, 1.5):
        noise = grain(flat(0.5, side=256), 10, size, "gray", rng()) - 0.5
        assert noise.std() * 255 == pytest.approx(10, rel=0.06)
        assert (noise[..., 0] == noise[..., 2]).all()
    np.testing.assert_array_equal(grain(flat(1.0), 10, 1, "color", rng()), flat(1.0))
    colored = grain(flat(0.5), 10, 1, "color", rng()) - 0.5
    assert abs(np.corrcoef(colored[..., 0].ravel(), colored[..., 1].ravel())[0, 1]) < 0.1


def test_grain_is_correlated_over_its_size():
    """A blur of width s leaves a correlation of exp(-d^2 / 4 s^2) at the distance d."""
    noise = grain(flat(0.5, 1, 256), 10, 1.5, "gray", rng())[..., 0] - 0.5
    for distance in (1, 3):
        found = (noise[:, distance:] * noise[:, :-distance]).mean() / noise.var()
        assert found == pytest.approx(np.exp(-(distance**2) / (4 * 1.5**2)), abs=0.05)


@each("channels", [1, 3])
@each("value", [0.0, 0.2, 0.5, 0.8, 1.0])
def test_dots_keep_the_tone(value, channels):
    assert halftone(flat(value, channels), 5, rng()).mean() == pytest.approx(value, abs=0.02)


def test_dots_have_their_pitch_and_colors_have_their_own_screens():
    gray = halftone(flat(0.5, 1, 120), 6, rng())[..., 0]
    power = np.abs(np.fft.fft2(gray - gray.mean())) ** 2
    row, column = np.unravel_index(power.argmax(), power.shape)
    frequency = np.hypot(*(min(place, 120 - place) / 120 for place in (row, column)))
    # at 45 degrees the strongest wave of dots is one of the two screens, or their sum
    assert min(abs(frequency - 1 / 6), abs(frequency - 2**0.5 / 6)) < 0.01
    image = flat(0.5)
    image[..., 0] = 0.4
    colored = halftone(image, 6, rng())
    assert (colored[..., 0] != colored[..., 1]).mean() > 0.1


@pytest.mark.parametrize("draw", [draw_scratches, draw_dust])
def test_the_mask_says_what_was_painted_over(draw):
    image = picture(120, 160)
    damaged, mask = draw(image, 12, rng(1))
    assert mask.shape == (120, 160, 1)
    assert 0 <= mask.min() < mask.max() <= 1
    untouched = mask[..., 0] == 0
    assert 0.5 < untouched.mean() < 1
    np.testing.assert_array_equal(damaged[untouched], image[untouched])
    assert np.abs(damaged - image)[mask[..., 0] > 0.5].mean() > 0.1
    clean, nothing = draw(image, 0, rng(1))
    assert clean is image
    assert not nothing.any()


def test_the_count_of_dust_is_its_mean():
    sizes = [draw_dust(flat(0.5, 1, 64), 3, rng(seed))[1].sum() for seed in range(40)]
    more = [draw_dust(flat(0.5, 1, 64), 9, rng(seed))[1].sum() for seed in range(40)]
    assert np.mean(more) == pytest.approx(3 * np.mean(sizes), rel=0.4)


def test_the_target_is_gray_where_the_colors_are_gone():
    image = picture(40, 44)
    for kind in ("color", "sepia", "gray"):
        old, target, mask = age(image, parse_settings(SETTINGS, {"tones": {kind: 1}}), rng(2))
        assert old.shape == image.shape
        assert mask.shape == (40, 44, 1)
        if kind == "color":
            np.testing.assert_array_equal(target, image)
        else:
            luma = image @ np.array([0.299, 0.587, 0.114], np.float32)
            np.testing.assert_allclose(target, luma[..., None].repeat(3, 2), atol=1e-6)


def test_every_setting_is_read_and_the_generator_decides():
    settings = Watched(parse_settings(SETTINGS, {"halftone_prob": 0.5}))
    results = [age(picture(40, 44), settings, rng(seed))[0] for seed in (*range(8), 0)]
    assert settings.read == set(SETTINGS)
    np.testing.assert_array_equal(results[0], results[-1])
    assert (results[0] != results[1]).any()
    assert age(picture(20, 20, 1), settings, rng())[0].shape == (20, 20, 1)
