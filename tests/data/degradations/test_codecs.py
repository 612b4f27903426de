"""Compression is that of the codecs, and its blocks lie where the shift puts them."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
import pytest

from semanir_arch.data.degradations.codecs import Codec, through_file


def compress(image, quality, codec="jpeg", chroma="4:2:0", shift=(0, 0)):
    return through_file(image, Codec(codec, quality, chroma), shift)


def ramp(height=64, width=72):
    rows, columns = np.mgrid[:height, :width]
    waves = [0.5 + 0.3 * np.sin(rows / (5 + c) + columns / 9) for c in range(3)]
    return np.stack(waves, axis=2).astype(np.float32)


def with_pillow(image, suffix, **options):
    pixels = np.rint(image * 255).astype(np.uint8)
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, suffix, **options)
    with PIL.Image.open(buffer) as file:
        return np.asarray(file.convert("RGB")) / 255


def blockiness(image):
    """Mean step between neighboring columns by their place in blocks of 8."""
    steps = np.abs(np.diff(image, 2, axis=1)).mean(axis=(0, 2))
    # a second difference at index i is about column i + 1
    places = (np.arange(len(steps)) + 1) % 8
    return np.array([steps[places == place].mean() for place in range(8)])


def test_jpeg_and_webp_are_what_pillow_makes_of_them():
    image = ramp()
    jpeg = compress(image, 40, chroma="4:4:4")
    np.testing.assert_allclose(
        jpeg, with_pillow(image, "JPEG", quality=40, subsampling=0), atol=1e-6
    )
    webp = compress(image, 40, codec="webp")
    # both use libwebp, perhaps of different versions and with other methods
    np.testing.assert_allclose(webp, with_pillow(image, "WEBP", quality=40), atol=0.12)
    assert np.abs(webp - with_pillow(image, "WEBP", quality=40)).mean() < 0.01


@pytest.mark.parametrize("shift", [0, 3, 6])
def test_the_shift_moves_the_grid_of_blocks(shift):
    coded = compress(ramp(96, 192), 5, chroma="4:4:4", shift=(0, shift))
    strength = blockiness(coded)
    # a second difference is large on both sides of the border between two blocks
    border = (8 - shift) % 8
    assert {int(place) for place in np.argsort(strength)[-2:]} == {border, (border - 1) % 8}


def test_lower_quality_loses_more_and_gray_stays_gray():
    image = ramp()
    for codec in ("jpeg", "webp"):
        losses = [np.abs(compress(image, q, codec=codec) - image).mean() for q in (95, 50, 10)]
        assert losses == sorted(losses)
        gray = compress(image[..., :1], 50, codec=codec)
        assert gray.shape == (64, 72, 1)
        assert np.abs(gray - image[..., :1]).mean() < 0.05


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"codec": "gif"}, "codec must be one of jpeg, webp"),
        ({"shift": (-1, 0)}, "shift must be 0 or more"),
        ({"quality": 0}, "quality must be"),
        ({"quality": 0, "codec": "webp"}, "quality must be"),
    ],
)
def test_nonsense_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        compress(ramp(), **{"quality": 50, **options})
