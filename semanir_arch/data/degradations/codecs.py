"""Lossy files as pictures go through them: JPEG or WebP, with a grid of blocks anywhere.

A picture that was cropped or shifted since it was first compressed has two grids of blocks, which
do not meet. Real codecs make the artifacts: `jpeg` (libjpeg-turbo) and OpenCV's libwebp.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from semanir_arch.data.degradations.jpeg import compress_jpeg
from semanir_arch.utils.errors import InputError

__all__ = ["CODECS", "Codec", "compress", "compress_webp", "through_file", "to_8_bit"]

Floats = NDArray[np.float32]

CODECS = ("jpeg", "webp")

_LARGEST_WEBP = 16383


@dataclass(frozen=True)
class Codec:
    """Codec and settings of a compressed file.

    Args:
        name: Name of the codec, one of `CODECS`.
        quality: Quality from 1 (worst) to 100.
        chroma: Chroma of JPEG: "4:2:0" or "4:4:4"; WebP has 4:2:0 only.
    """

    name: str
    quality: int
    chroma: str = "4:2:0"


def to_8_bit(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Float values in [0, 1] rounded to what a file holds; others are clipped."""
    return np.rint(image.clip(0, 1) * 255).astype(np.uint8)


def through_file(image: Floats, codec: Codec | None, shift: tuple[int, int] = (0, 0)) -> Floats:
    """An image as it looks after it was rounded to 8 bits and compressed.

    Args:
        image: (H, W, C) float32, gray or RGB; clipped to [0, 1].
        codec: Codec and its settings; None for a file without loss.
        shift: Rows and columns of the image before the first whole block, 0 or more.

    Returns:
        (H, W, C) float32 in [0, 1], on 8-bit levels.

    Raises:
        ValueError: An argument is not allowed.
    """
    if min(shift) < 0:
        raise InputError(f"shift must be 0 or more, received {shift}")
    pixels, (down, right) = to_8_bit(image), shift
    if codec is not None:
        padded = np.pad(pixels, ((down, 0), (right, 0), (0, 0)), mode="edge")
        pixels = compress(padded, codec)[down:, right:]
    return pixels.astype(np.float32) / np.float32(255)


def compress(pixels: NDArray[np.uint8], codec: Codec) -> NDArray[np.uint8]:
    """An image as it looks after compression.

    Args:
        pixels: (H, W, C), gray or RGB.
        codec: Codec and its settings.

    Raises:
        ValueError: A setting is not allowed.
    """
    if codec.name == "jpeg":
        return compress_jpeg(pixels, codec.quality, chroma=codec.chroma)
    if codec.name == "webp":
        return compress_webp(pixels, codec.quality)
    raise InputError(f"codec must be one of {', '.join(CODECS)}, received {codec.name!r}")


def compress_webp(pixels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """An image as it looks after lossy WebP compression, by OpenCV.

    Args:
        pixels: (H, W, C), gray or RGB.
        quality: Quality from 1 (worst) to 100.

    Raises:
        ValueError: The quality is not allowed (OpenCV would take more than 100 for lossless), or a
            side is longer than WebP allows.
    """
    if not 1 <= quality <= 100:
        raise InputError(f"quality must be an integer from 1 to 100, received {quality!r}")
    if max(pixels.shape[:2]) > _LARGEST_WEBP:
        raise InputError(f"WebP holds up to {_LARGEST_WEBP} pixels a side, received {pixels.shape}")
    # WebP stores color only
    color = np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))
    settings = [cv2.IMWRITE_WEBP_QUALITY, int(quality)]
    data = cv2.imencode(".webp", cv2.cvtColor(color, cv2.COLOR_RGB2BGR), settings)[1]
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
    assert decoded is not None, "OpenCV must read what it wrote"
    if pixels.shape[2] == 3:
        return np.asarray(decoded, np.uint8)
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_RGB2GRAY), np.uint8)[..., None]
