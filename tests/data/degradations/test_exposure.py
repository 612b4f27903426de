"""Blur of exposures: traces, rotation, light, discs and electrons, in numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from semanir_arch.data.degradations.declaration import parse_settings
from semanir_arch.data.degradations.exposure import (
    SETTINGS,
    defocus,
    draw_motion,
    expose,
    move,
    photographic_blur,
    smooth_field,
)
from tests.data.degradations.test_damage import Watched
from tests.data.degradations.test_second_order import picture, rng

SIDE = 65
FLAT = np.ones((SIDE, SIDE), np.float32)


def point():
    light = np.zeros((SIDE, SIDE, 1), np.float32)
    light[SIDE // 2, SIDE // 2] = 1
    return light


def center_and_spread(light):
    weights = light[..., 0].astype(np.float64)
    weights = weights / weights.sum()
    rows, columns = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    mean = (weights * rows).sum(), (weights * columns).sum()
    return mean, (
        (weights * (rows - mean[0]) ** 2).sum(),
        (weights * (columns - mean[1]) ** 2).sum(),
    )


def quiet(**changed):
    nothing = {"noise_prob": 0, "jpeg_prob": 0, "variation": 0, "rotation": 0, "highlights": 1}
    return parse_settings(SETTINGS, {**nothing, **changed})


def test_a_point_leaves_the_trace_of_its_path_and_keeps_its_light():
    path, angles = draw_motion(20, 0.5, 0, "extent", rng(3))
    trace = move(point(), path, angles, FLAT, rng())
    assert trace.sum() == pytest.approx(1, abs=1e-4)
    mean, spread = center_and_spread(trace)
    # what the sensor shows lies opposite to where it was moved; bilinear weights add to the spread
    np.testing.assert_allclose(mean, (-path.imag.mean(), -path.real.mean()), atol=0.02)
    np.testing.assert_allclose(spread, (path.imag.var(), path.real.var()), atol=0.35)


@pytest.mark.parametrize("center", ["extent", "time"])
def test_the_sharp_picture_lies_where_it_was_asked_for(center):
    for seed in range(5):
        path, angles = draw_motion(16, 0.6, 2, center, rng(seed))
        assert np.ptp(angles) == pytest.approx(math.radians(2), rel=1e-6)
        assert len(path) == 17
        if center == "time":
            assert path[8] == 0
        else:
            for part in (path.real, path.imag):
                assert part.min() == pytest.approx(-part.max())
        # a path of 16 pixels, of which the samples cut corners
        assert 10 < np.abs(np.diff(path)).sum() <= 16.001


def test_rotation_moves_points_in_proportion_to_their_distance():
    rows, columns = np.mgrid[:SIDE, :SIDE]
    angles = np.full(1, math.radians(3))
    ramp = np.stack([rows, columns], axis=2).astype(np.float32)
    turned = move(ramp, np.zeros(1, complex), angles, FLAT, rng(1))
    shift = (turned - ramp)[20:45, 20:45]
    # a linear map, whose antisymmetric part is the sine of the angle
    assert np.diff(shift[..., 0], axis=1).mean() == pytest.approx(
        math.sin(math.radians(3)), rel=1e-3
    )
    assert np.diff(shift[..., 1], axis=0).mean() == pytest.approx(
        -math.sin(math.radians(3)), rel=1e-3
    )
    assert np.diff(shift[..., 0], axis=0).mean() == pytest.approx(
        math.cos(math.radians(3)) - 1, abs=1e-4
    )


def test_motion_differs_locally_with_the_field():
    light = np.zeros((SIDE, SIDE, 1), np.float32)
    light[:, 16] = light[:, 48] = 1
    field = np.where(np.arange(SIDE) < 32, 0.5, 1.5).astype(np.float32)
    path = np.linspace(-6, 6, 13).astype(complex)
    blurred = move(light, path, np.zeros(13), np.broadcast_to(field, (SIDE, SIDE)), rng())
    widths = [(blurred[32, part, 0] > 1e-6).sum() for part in (slice(0, 32), slice(32, SIDE))]
    assert widths[0] < 9 < 17 < widths[1]


def test_saturated_places_stay_bright_where_they_move():
    image = np.full((SIDE, SIDE, 3), 0.1, np.float32)
    image[28:37, 28:37] = 1
    plain, bright = (
        photographic_blur(
            image, quiet(blur={"motion": 1}, length=16, shake=0, highlights=h), rng(2)
        )
        for h in (1, 8)
    )
    assert (bright >= plain - 1e-6).all()
    assert (bright > 0.95).sum() > 1.5 * (plain > 0.95).sum()


def test_blur_is_an_average_of_light():
    stripes = np.zeros((SIDE, SIDE, 1), np.float32)
    stripes[:, ::2] = 1
    blurred = photographic_blur(stripes, quiet(blur={"defocus": 1}, radius=8), rng())
    assert blurred[20:-20, 20:-20].mean() == pytest.approx(0.5 ** (1 / 2.2), abs=0.01)


def test_a_disc_has_the_spread_of_its_radius():
    for radius in (3.0, 8.0):
        spread = center_and_spread(defocus(point(), radius, FLAT))[1]
        # a disc's second moment about a diameter is r^2 / 4
        np.testing.assert_allclose(spread, radius**2 / 4, rtol=0.05)
    field = np.linspace(0.5, 1.5, SIDE, dtype=np.float32)
    mixed = defocus(point(), 6.0, np.broadcast_to(field, (SIDE, SIDE)))
    assert 9 * 0.25 < center_and_spread(mixed)[1][0] < 81 * 0.25


@pytest.mark.parametrize("level", [0.05, 0.6])
def test_noise_has_the_variance_of_electrons(level):
    light = np.full((200, 200, 1), level, np.float32)
    noise = expose(light, 2000, 8, rng()) - light
    assert noise.var() == pytest.approx(level / 2000 + (8 / 2000) ** 2, rel=0.03)


def test_the_smooth_field_is_smooth_and_bounded():
    field = smooth_field((90, 120), rng())
    assert field.shape == (90, 120)
    assert -1 <= field.min() < -0.2 < 0.2 < field.max() <= 1
    assert np.abs(np.diff(field, axis=0)).max() < 0.12


def test_no_blur_leaves_the_picture_and_every_setting_is_read():
    image = picture(40, 44)
    sharp = photographic_blur(image, quiet(blur={"none": 1}), rng())
    np.testing.assert_allclose(sharp, image, atol=0.51 / 255)
    settings = Watched(parse_settings(SETTINGS, {}))
    for seed in range(30):
        photographic_blur(image, settings, rng(seed))
    assert settings.read == set(SETTINGS)
    first, again = (photographic_blur(image, settings, rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
