"""Lossy files as pictures go through them: JPEG or WebP, once or twice, with grids anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from semanir_arch.data.degradations.jpeg import compress_jpeg
from semanir_arch.utils.errors import InputError

__all__ = ["CODECS", "Codec", "compress", "compress_webp", "to_8_bit"]

CODECS = ("jpeg", "webp")


@dataclass(frozen=True)
class Codec:
    """Codec and settings of a compressed file.

    Args:
        name: Name of the codec, one of `CODECS`.
        quality: Quality from 1 (worst) to 100.
        chroma: Chroma of JPEG: "4:2:0" or "4:4:4".
    """

    name: str
    quality: int
    chroma: str = "4:2:0"


def to_8_bit(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Float values in [0, 1] rounded to what a file holds; others are clipped."""
    return np.rint(image.clip(0, 1) * 255).astype(np.uint8)


def compress(pixels: NDArray[np.uint8], codec: Codec) -> NDArray[np.uint8]:
    """An image as it looks after compression.

    Args:
        pixels: (H, W, 3) RGB.
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
        pixels: (H, W, 3) RGB.
        quality: Quality from 1 (worst) to 100.

    Raises:
        ValueError: The quality is not allowed. OpenCV would take more than 100 for lossless.
    """
    if not 1 <= quality <= 100:
        raise InputError(f"quality must be an integer from 1 to 100, received {quality!r}")
    settings = [cv2.IMWRITE_WEBP_QUALITY, int(quality)]
    data = cv2.imencode(".webp", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), settings)[1]
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
    assert decoded is not None, "OpenCV must read what it wrote"
    return decoded.astype(np.uint8, copy=False)
