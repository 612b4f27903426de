"""Resizing agrees with PyTorch, which follows the same rules in other code."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from semanir_arch.data.degradations.resampling import resize
from tests.each import each
from tests.helpers import make_image


def with_torch(image, size, mode):
    tensor = torch.from_numpy(image).permute(2, 0, 1)[None]
    options = {} if mode in ("area", "nearest-exact") else {"align_corners": False}
    return interpolate(tensor, size, mode=mode, **options)[0].permute(1, 2, 0).numpy()


@each("channels", [1, 3])
# sizes of which no new pixel lies half way between two old ones
@each("size", [(16, 22), (40, 56), (12, 60), (2, 2)])
@each(
    "mode, other", [("bilinear", "bilinear"), ("bicubic", "bicubic"), ("nearest", "nearest-exact")]
)
def test_interpolation_is_pytorchs(mode, other, size, channels):
    image = make_image((30, 42, channels), np.float32)
    np.testing.assert_allclose(
        resize(image, *size, mode), with_torch(image, size, other), atol=2e-3
    )


def test_area_averages_blocks_and_enlarges_bilinearly():
    image = make_image((30, 42, 3), np.float32)
    blocks = image.reshape(15, 2, 14, 3, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(resize(image, 15, 14, "area"), blocks, atol=1e-5)
    larger = resize(image, 60, 84, "area")
    np.testing.assert_allclose(larger, resize(image, 60, 84, "bilinear"), atol=1e-6)


def test_the_same_size_is_the_same_image_and_nonsense_is_refused():
    image = make_image((8, 9, 3), np.float32)
    for mode in ("area", "bilinear", "bicubic", "nearest"):
        np.testing.assert_array_equal(resize(image, 8, 9, mode), image)
    with pytest.raises(ValueError, match="mode must be one of area, "):
        resize(image, 4, 4, "lanczos")
    with pytest.raises(ValueError, match="received 0 x 4"):
        resize(image, 0, 4, "area")
