"""The camera: its colors, what it does to noise, and what it is with and without."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from semanir_arch.data.degradations.camera import (
    SETTINGS,
    Camera,
    camera_noise,
    draw_camera,
    photograph,
)
from semanir_arch.data.degradations.camera_color import (
    Look,
    from_sensor,
    neutral_matrix,
    to_sensor,
)
from semanir_arch.data.degradations.camera_noise import SensorNoise
from semanir_arch.data.degradations.declaration import parse_settings
from semanir_arch.data.degradations.demosaicking import METHODS
from semanir_arch.data.degradations.sharing import Sharing
from tests.data.degradations.statistics_of_noise import autocorrelation, luma_and_chroma

PLAIN = Look((1.0, 1.0), np.eye(3), 1.0, 1.0, has_curve=False)
LOOK = Look((1.9, 1.5), neutral_matrix(np.full(6, -0.2)), 0.8, 2.2, has_curve=True)
NOISE = SensorNoise(0, 0.02)
SILENT = SensorNoise(0, 0)
FLAT = np.full((256, 256, 3), 0.4, np.float32)
DRAWN = parse_settings(SETTINGS, {})


def rng(seed=0):
    return np.random.default_rng(seed)


def scene(side=48, seed=1):
    """Soft shapes, as a camera sees them."""
    coarse = rng(seed).random((6, 6, 3), np.float32)
    grown = coarse.repeat(side // 6, 0).repeat(side // 6, 1)
    return (grown + np.roll(grown, 3, 0) + np.roll(grown, 3, 1)) / 3


def noise_of(camera, image=FLAT, seed=0):
    """What the noise of a camera looks like in its file."""
    return photograph(image, camera, rng(seed)) - photograph(image, camera, None)


@pytest.mark.parametrize("has_curve", [True, False])
def test_what_a_sensor_saw_gives_the_picture_again(has_curve):
    look = replace(LOOK, has_curve=has_curve)
    # colors near gray, which every matrix can record
    image = 0.5 + 0.2 * (scene() - 0.5)
    light = to_sensor(image, look)
    assert 0 < light.min() < light.max() < 1
    seen = from_sensor(light * look.balance / np.float32(look.exposure), look)
    np.testing.assert_allclose(seen, image, atol=2e-4)


def test_gray_stays_gray_and_is_green_in_the_raw_data():
    gray = np.full((4, 4, 3), 0.5, np.float32)
    raw = to_sensor(gray, LOOK)
    np.testing.assert_allclose(raw * LOOK.balance, raw[..., 1:2].repeat(3, -1), rtol=1e-5)
    assert (raw[..., 1] > raw[..., 0]).all()
    seen = photograph(gray.repeat(4, 0).repeat(4, 1), Camera(LOOK, "rggb", SILENT), None)
    np.testing.assert_allclose(seen, 0.5, atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_demosaicking_spreads_noise(method):
    noise = noise_of(Camera(PLAIN, "rggb", NOISE, method))
    luma, blue, _ = luma_and_chroma(noise)
    # independent samples would have 0.004
    assert autocorrelation(luma, 0, 1) > (-0.3 if method == "linear" else 0.1)
    assert autocorrelation(blue, 0, 1) > 0.3
    assert autocorrelation(blue, 1, 0) > 0.3
    assert abs(autocorrelation(blue, 0, 8)) < 0.03


def test_bilinear_demosaicking_keeps_the_variance_that_its_weights_say():
    noise = noise_of(Camera(PLAIN, "rggb", NOISE, "bilinear"))
    variances = noise.var(axis=(0, 1)) / 0.02**2
    # red, blue: a sample, two means of two and a mean of four; green: samples and means of four
    rounding = (1 / 255) ** 2 / 12 / 0.02**2
    expected = np.array([(1 + 0.5 + 0.5 + 0.25) / 4, (1 + 0.25) / 2, (1 + 0.5 + 0.5 + 0.25) / 4])
    np.testing.assert_allclose(variances, expected + rounding, rtol=0.03)


@pytest.mark.parametrize("sigma", [1.0, 2.5])
def test_colour_alone_is_smoothed_and_by_a_gaussian(sigma):
    camera = Camera(PLAIN, "rggb", NOISE, "linear", chroma=sigma)
    luma, blue, red = luma_and_chroma(noise_of(camera))
    luma_before, *chroma_before = luma_and_chroma(noise_of(replace(camera, chroma=0)))
    np.testing.assert_allclose(luma, luma_before, atol=2 / 255)
    for after, before in zip((blue, red), chroma_before, strict=True):
        expected = gaussian_filter(before, sigma, truncate=3)[8:-8, 8:-8]
        np.testing.assert_allclose(after[8:-8, 8:-8], expected, atol=2 / 255)
        assert after.std() < before.std() / sigma
        distance = round(3 * sigma)
        assert autocorrelation(after, 0, distance) > autocorrelation(before, 0, distance) + 0.05


def test_a_curve_makes_noise_of_dark_parts_stronger():
    dark, bright = (np.full_like(FLAT, value) for value in (0.1, 0.8))
    camera = Camera(replace(LOOK, has_curve=False), "gbrg", NOISE)
    straight = Camera(PLAIN, "gbrg", NOISE)
    assert noise_of(camera, dark).std() > 3 * noise_of(camera, bright).std()
    assert noise_of(straight, dark).std() == pytest.approx(
        noise_of(straight, bright).std(), rel=0.05
    )


def test_luma_is_smoothed_below_a_contrast_and_edges_are_kept():
    image = FLAT.copy()
    image[:, 128:] = 0.8
    camera = Camera(PLAIN, "rggb", NOISE, luma=0.08)
    calm, wild = (noise_of(entry, image) for entry in (camera, replace(camera, luma=0)))
    assert luma_and_chroma(calm)[0].std() < 0.75 * luma_and_chroma(wild)[0].std()
    target = photograph(image, camera, None).mean(axis=(0, 2))
    assert target[126] == pytest.approx(0.4, abs=0.02)
    assert target[129] == pytest.approx(0.8, abs=0.02)


def test_sharpening_makes_noise_stronger_and_finer():
    camera = Camera(PLAIN, "rggb", NOISE, "bilinear")
    soft, sharp = (
        luma_and_chroma(noise_of(entry))[0]
        for entry in (camera, replace(camera, sharpening=(1, 1)))
    )
    assert sharp.std() > 1.2 * soft.std()
    assert autocorrelation(sharp, 0, 1) < autocorrelation(soft, 0, 1) - 0.1


def test_without_noise_and_compression_the_picture_is_its_target():
    for seed in range(40):
        camera = draw_camera(DRAWN, rng(seed))
        sharing = replace(camera.sharing, codec=None, again=None)
        silent = replace(camera, noise=SILENT, sharing=sharing)
        seen, target = (photograph(scene(), silent, source) for source in (rng(), None))
        np.testing.assert_allclose(seen, target, atol=0.5 / 255 + 1e-6)


def test_the_noise_alone_depends_on_the_generator():
    for seed in range(25):
        camera = draw_camera(DRAWN, rng(seed))
        again = draw_camera(DRAWN, rng(seed))
        first, second = photograph(scene(), camera, rng(1)), photograph(scene(), again, rng(1))
        np.testing.assert_array_equal(first, second)
        assert (first != photograph(scene(), camera, rng(2))).any()
        target = photograph(scene(), camera, None)
        np.testing.assert_array_equal(target, photograph(scene(), again, None))
        assert first.shape == target.shape
        assert first.dtype == target.dtype == np.float32
        assert first.min() >= 0
        assert first.max() <= 1
        np.testing.assert_allclose(first * 255, np.rint(first * 255), atol=1e-3)


def test_every_kind_of_camera_is_drawn():
    cameras = [draw_camera(DRAWN, rng(seed)) for seed in range(400)]
    shares = {
        "blur": np.mean([camera.blur > 0 for camera in cameras]),
        "chroma": np.mean([camera.chroma > 0 for camera in cameras]),
        "luma": np.mean([camera.luma > 0 for camera in cameras]),
        "sharpen": np.mean([camera.sharpening[0] > 0 for camera in cameras]),
        "row": np.mean([camera.noise.row > 0 for camera in cameras]),
        "clip": np.mean([camera.noise.is_clipped for camera in cameras]),
        "curve": np.mean([camera.look.has_curve for camera in cameras]),
        "codec": np.mean([camera.sharing.codec is not None for camera in cameras]),
    }
    for name, share in shares.items():
        assert share == pytest.approx(SETTINGS[f"{name}_prob"].default, abs=0.1), name
    assert {camera.demosaicking for camera in cameras} == set(METHODS)
    assert len({camera.phase for camera in cameras}) == 4
    gains = np.log([camera.noise.gain for camera in cameras])
    low, high = np.log(SETTINGS["gain"].default)
    assert np.mean(gains) == pytest.approx((low + high) / 2, abs=0.3)
    for camera in cameras:
        np.testing.assert_allclose(camera.look.matrix.sum(1), 1)


def test_a_range_of_one_value_is_that_value():
    settings = parse_settings(SETTINGS, {"gain": 1e-3, "blur_prob": 1, "blur": 0.5})
    camera = draw_camera(settings, rng())
    assert camera.noise.gain == pytest.approx(1e-3)
    assert camera.blur == 0.5
    # others draw what they did
    assert camera.look.gamma == draw_camera(DRAWN, rng()).look.gamma
    assert camera.sharing == draw_camera(DRAWN, rng()).sharing


def test_a_resized_picture_has_a_target_of_its_size():
    camera = Camera(LOOK, "rggb", NOISE, sharing=Sharing(0.7))
    assert photograph(scene(), camera, rng()).shape == (34, 34, 3)
    assert photograph(scene(), camera, None).shape == (34, 34, 3)


@pytest.mark.parametrize(("gain", "strength"), [(0.01, 1), (0.01, 0.5), (0.0025, 1)])
def test_as_one_step_the_noise_has_the_variance_of_counted_photons_and_bilinear_means(
    gain, strength
):
    """Of red a quarter of the pixels is counted, the others are means of two or four."""
    chances = {name: 0 for name in SETTINGS if name.endswith("_prob")}
    linear = {"gamma": 1, "balance_red": 1, "balance_blue": 1, "crosstalk": 0, "exposure": 1}
    given = {**chances, **linear, "gain": gain, "read_deviation": -4}
    settings = parse_settings(SETTINGS, {**given, "demosaicking": {"bilinear": 1}})
    noise = camera_noise(FLAT, strength, rng(), settings) - FLAT
    counted = 0.4 * gain * strength**2
    expected = [counted * (1 / 4 + 1 / 2 / 2 + 1 / 4 / 4), counted * (1 / 2 + 1 / 2 / 4)]
    assert noise[..., 0].var() == pytest.approx(expected[0], rel=0.05)
    assert noise[..., 1].var() == pytest.approx(expected[1], rel=0.05)
    assert abs(noise.mean()) < 3 * noise.std() / 256


def test_as_one_step_the_noise_is_spread_among_pixels():
    means = [
        np.mean([autocorrelation(field[..., c], 0, 1) for c in range(3)])
        for field in (camera_noise(FLAT, 1, rng(seed)) - FLAT for seed in range(8))
    ]
    # white noise of this size stays below 0.02
    assert min(means) > 0.1


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 7, 1), (40, 33, 1), (33, 40, 3)])
def test_as_one_step_a_picture_of_any_size_keeps_its_shape_and_strength_0_its_values(shape):
    image = rng().random(shape, np.float32)
    for seed in range(3):
        taken = camera_noise(image, 1, rng(seed))
        assert (taken.shape, taken.dtype) == (shape, np.float32)
        assert 0 <= taken.min() <= taken.max() <= 1
        np.testing.assert_array_equal(taken, camera_noise(image, 1, rng(seed)))
        np.testing.assert_array_equal(camera_noise(image, 0, rng(seed)), image)
