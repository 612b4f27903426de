from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from semanir_arch.restoring.pixels import Canvas, split
from tests.each import each
from tests.helpers import make_image

LAYOUTS = [(5, 7), (5, 7, 1), (5, 7, 2), (5, 7, 3), (5, 7, 4), (1, 1), (1, 1, 4)]


def joined(image, color=None, scale=1):
    """An image whose color was replaced, painted in one band."""
    pixels = split(image)
    color = pixels.color if color is None else color
    canvas = Canvas(pixels, color.shape[1], scale)
    canvas.add(color)
    return canvas.finish()


@each("shape", LAYOUTS)
@each("dtype", [np.uint8, np.uint16, ">u2", np.float32, np.float64])
def test_painting_unchanged_color_gives_the_image_back(shape, dtype):
    image = make_image(shape, dtype)
    same = joined(image)
    assert same.dtype == image.dtype
    np.testing.assert_allclose(same, image, rtol=0, atol=1e-7 if image.dtype.kind == "f" else 0)


def test_a_result_is_painted_from_top_to_bottom_and_again_after_a_restart():
    image = make_image((7, 5, 4))
    pixels = split(image)
    canvas = Canvas(pixels, 3, 1)
    canvas.add(torch.zeros(1, 3, 4, 5))
    canvas.restart()
    for top, bottom in ((0, 3), (3, 4), (4, 7)):
        canvas.add(pixels.read_color(slice(top, bottom), slice(None)))
    np.testing.assert_array_equal(canvas.finish(), image)


@pytest.mark.parametrize("scale", [2, 3])
def test_alpha_larger_than_a_tile_is_enlarged_as_in_one_piece(scale):
    image = make_image((530, 20, 2))
    alpha = split(image).alpha
    whole = F.interpolate(alpha, scale_factor=scale, mode="bicubic").clamp(0, 1)
    enlarged = joined(image, torch.zeros(1, 1, 530 * scale, 20 * scale), scale)
    expected = np.rint(whole[0, 0].numpy() * 255)
    assert np.abs(enlarged[..., 1] - expected).max() <= 1
    assert (enlarged[..., 1] != expected).mean() < 1e-3, "rounding of halves alone may differ"


@pytest.mark.parametrize(("shape", "channels"), [((4, 6), 1), ((4, 6, 2), 1), ((4, 6, 4), 3)])
def test_alpha_is_kept_apart_from_color(shape, channels):
    pixels = split(make_image(shape))
    assert pixels.color.shape == (1, channels, 4, 6)
    assert (pixels.alpha is not None) == (len(shape) == 3)


def test_alpha_follows_the_size_of_the_color_and_stays_in_range():
    alpha = np.zeros((8, 8), np.uint8)
    alpha[:, 4:] = 255
    large = joined(np.dstack([make_image((8, 8, 3)), alpha]), torch.zeros(1, 3, 24, 24), scale=3)
    assert large.shape == (24, 24, 4)
    assert (large[:, :6, 3] == 0).all()
    assert (large[:, -6:, 3] == 255).all()


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 65535), (np.float32, 1)])
def test_values_outside_the_range_are_clipped(dtype, top):
    clipped = joined(np.zeros((1, 2), dtype), torch.tensor([[[[-0.5, 1.5]]]]))
    assert clipped.tolist() == [[0, top]]


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_matrices_and_masked_arrays_are_taken_as_plain_ones():
    image = make_image((3, 4))
    for given in (np.asmatrix(image), np.ma.array(image)):
        pixels = split(given)
        assert type(pixels.layers) is np.ndarray
        np.testing.assert_array_equal(pixels.layers[..., 0], image)


def test_integers_are_rounded_not_truncated():
    color = torch.tensor([[[[0.9, 1.4]]]]) / 255
    assert joined(np.zeros((1, 2), np.uint8), color).tolist() == [[1, 1]]


def test_the_image_is_not_changed():
    image = make_image((3, 3, 3), np.float32)
    before = image.copy()
    split(image).color.zero_()
    np.testing.assert_array_equal(image, before)


@each(
    "image, error, message",
    [
        ([[0]], TypeError, "numpy array, got list"),
        (np.zeros((2, 2), np.int32), TypeError, "dtype int32; allowed: uint8"),
        (np.zeros((2, 2), bool), TypeError, "dtype bool"),
        (np.zeros((2, 2, 5), np.uint8), ValueError, r"shape \(2, 2, 5\); allowed"),
        (np.zeros(4, np.uint8), ValueError, r"shape \(4,\)"),
        (np.zeros((0, 4, 3), np.uint8), ValueError, "no pixels"),
        (np.full((2, 2), np.nan), ValueError, "NaN or infinite"),
        (np.full((2, 2), 255.0), ValueError, r"values from 255 to 255; allowed: \[0, 1\]"),
        (np.full((2, 2), -1e30, np.float32), ValueError, "values from -1e"),
    ],
)
def test_bad_images_are_refused_with_what_is_allowed(image, error, message):
    with pytest.raises(error, match=message):
        split(image)
