from __future__ import annotations

import numpy as np
import pytest
import torch

from semanir_arch.inference.pixels import split
from tests.helpers import make_image

LAYOUTS = [(5, 7), (5, 7, 1), (5, 7, 2), (5, 7, 3), (5, 7, 4), (1, 1), (1, 1, 4)]


@pytest.mark.parametrize("shape", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, ">u2", np.float32, np.float64])
def test_joining_unchanged_color_gives_the_image_back(shape, dtype):
    image = make_image(shape, dtype)
    pixels = split(image)
    joined = pixels.join(pixels.color)
    assert joined.dtype == image.dtype
    np.testing.assert_allclose(joined, image, rtol=0, atol=1e-7 if image.dtype.kind == "f" else 0)


@pytest.mark.parametrize(("shape", "channels"), [((4, 6), 1), ((4, 6, 2), 1), ((4, 6, 4), 3)])
def test_alpha_is_kept_apart_from_color(shape, channels):
    pixels = split(make_image(shape))
    assert pixels.color.shape == (1, channels, 4, 6)
    assert (pixels.alpha is not None) == (len(shape) == 3)


def test_alpha_follows_the_size_of_the_color_and_stays_in_range():
    alpha = np.zeros((8, 8), np.uint8)
    alpha[:, 4:] = 255
    pixels = split(np.dstack([make_image((8, 8, 3)), alpha]))
    joined = pixels.join(torch.zeros(1, 3, 24, 24))
    assert joined.shape == (24, 24, 4)
    assert (joined[:, :6, 3] == 0).all()
    assert (joined[:, -6:, 3] == 255).all()


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 65535), (np.float32, 1)])
def test_values_outside_the_range_are_clipped(dtype, top):
    pixels = split(np.zeros((1, 2), dtype))
    joined = pixels.join(torch.tensor([[[[-0.5, 1.5]]]]))
    assert joined.tolist() == [[0, top]]


def test_integers_are_rounded_not_truncated():
    pixels = split(np.zeros((1, 2), np.uint8))
    assert pixels.join(torch.tensor([[[[0.9, 1.4]]]]) / 255).tolist() == [[1, 1]]


def test_the_image_is_not_changed():
    image = make_image((3, 3, 3), np.float32)
    before = image.copy()
    split(image).color.zero_()
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        ([[0]], TypeError, "numpy array, got list"),
        (np.zeros((2, 2), np.int32), TypeError, "dtype int32; allowed: uint8"),
        (np.zeros((2, 2), bool), TypeError, "dtype bool"),
        (np.zeros((2, 2, 5), np.uint8), ValueError, r"shape \(2, 2, 5\); allowed"),
        (np.zeros(4, np.uint8), ValueError, r"shape \(4,\)"),
        (np.zeros((0, 4, 3), np.uint8), ValueError, "no pixels"),
        (np.full((2, 2), np.nan), ValueError, "NaN or infinite"),
    ],
)
def test_bad_images_are_refused_with_what_is_allowed(image, error, message):
    with pytest.raises(error, match=message):
        split(image)
