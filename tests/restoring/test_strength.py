from __future__ import annotations

import io

import cv2
import numpy as np
import PIL.Image
import pytest

from semanir_arch.restoring.strength import limit_noise, limit_to_quality
from tests.each import each
from tests.helpers import make_image

DTYPES = [np.uint8, np.uint16, np.float32]


def white(dtype):
    return np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1


def pair(shape, dtype, deviation=20.0):
    """A gray picture with some noise, and its clean version, in the middle of the range."""
    generator = np.random.default_rng(0)
    clean = cv2.GaussianBlur(generator.uniform(60, 190, shape), (0, 0), 4).reshape(shape)
    noisy = clean + generator.normal(0, deviation, shape)
    levels = [(image.clip(0, 255) / 255 * white(dtype)) for image in (noisy, clean)]
    return [np.rint(x).astype(dtype) if np.dtype(dtype).kind == "u" else x.astype(dtype)
            for x in levels]  # fmt: skip


@each("dtype", DTYPES)
@each("sigma", [0, 3, 7])
def test_what_is_removed_has_at_most_the_deviation_of_the_noise(dtype, sigma):
    before, after = pair((300, 40, 3), dtype)
    wanted = after.copy()
    limit_noise(before, after, sigma)
    removed = (before.astype(np.float64) - after) / white(dtype) * 255
    assert abs(removed.std() - sigma) < 0.1
    if sigma:
        # what is left of the correction points where all of it did
        correction = (before.astype(np.float64) - wanted).ravel()
        assert np.corrcoef(removed.ravel(), correction)[0, 1] > 0.99


def test_a_weaker_correction_is_left_alone():
    before, after = pair((64, 64, 1), np.uint8, deviation=5)
    unlimited = after.copy()
    limit_noise(before, after, 15)
    np.testing.assert_array_equal(after, unlimited)


def jpeg(pixels, quality):
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels.squeeze()).save(buffer, "JPEG", quality=quality)
    return np.asarray(PIL.Image.open(buffer)).reshape(pixels.shape)


def coefficients(plane):
    """DCT of every block of 8 x 8, by OpenCV."""
    rows, columns = plane.shape[0] // 8, plane.shape[1] // 8
    blocks = plane.reshape(rows, 8, columns, 8).swapaxes(1, 2).reshape(-1, 8, 8)
    return np.stack([cv2.dct(np.float64(block)) for block in blocks])


def steps(quality, index=0):
    buffer = io.BytesIO()
    PIL.Image.new("RGB", (16, 16)).save(buffer, "JPEG", quality=quality)
    return np.array(PIL.Image.open(buffer).quantization[index], np.float64).reshape(8, 8)


@each("dtype", DTYPES)
@each("quality", [10, 50, 90])
def test_no_coefficient_moves_by_more_than_half_a_step(dtype, quality):
    before, after = pair((264, 48, 1), dtype)
    limit_to_quality(before, after, quality)
    change = (after.astype(np.float64) - before)[..., 0] / white(dtype) * 255
    # half a level in each of 64 pixels is up to 4 in a coefficient
    slack = 4 if dtype == np.uint8 else 0.05
    assert (np.abs(coefficients(change)) <= steps(quality) / 2 + slack).all()


def test_what_jpeg_leaves_open_is_not_limited():
    """The original lies within half a step of its JPEG version: it may be restored fully."""
    clean = pair((256, 64, 1), np.uint8)[1]
    before, after = jpeg(clean, 30), clean.copy()
    limit_to_quality(before, after, 30)
    assert np.abs(after.astype(int) - clean).max() <= 1
    limit_to_quality(before, strict := clean.copy(), 95)
    assert np.abs(strict.astype(int) - clean).max() > 3


def test_in_colour_the_original_of_a_file_with_halved_colour_may_be_restored_fully():
    generator = np.random.default_rng(0)
    clean = cv2.GaussianBlur(generator.uniform(0, 255, (128, 96, 3)), (0, 0), 5)
    clean = ((clean - clean.mean()) * 4 + 128).clip(0, 255).astype(np.uint8)
    before, after = jpeg(clean, 20), clean.copy()
    limit_to_quality(before, after, 20)
    error = np.abs(after.astype(int) - clean)
    assert np.abs(before.astype(int) - clean).max() > 15
    # libjpeg's integer arithmetic rounds color before and after its DCT
    assert error.max() <= 4
    assert error.mean() < 0.5


def test_detail_of_colour_that_halving_drops_is_free_and_the_rest_is_limited():
    before = np.full((32, 32, 3), 128, np.uint8)
    stripes = before.copy()
    # columns that alternate in blue alone, at the luma of gray: lost by the mean of two columns
    stripes[:, ::2] += np.array([0, 0, 60], np.uint8)
    stripes[:, 1::2] -= np.array([0, 0, 60], np.uint8)
    tinted = before + np.array([0, 0, 60], np.uint8)
    limit_to_quality(before, stripes, 90)
    limit_to_quality(before, tinted, 90)
    assert np.ptp(stripes[..., 2].astype(int)) > 80
    assert np.abs(tinted.astype(int) - before).max() <= 3


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 3), (7, 9, 3), (9, 17, 1), (130, 3, 3)])
def test_any_size_is_limited(shape):
    before, after = make_image(shape, seed=1), make_image(shape, seed=2)
    limit_to_quality(before, after, 100)
    assert after.shape == shape
    # a whole step of 1 for each of 64 coefficients, and color that is not stored
    if shape[2] == 1:
        assert np.abs(after.astype(int) - before).max() <= 8
