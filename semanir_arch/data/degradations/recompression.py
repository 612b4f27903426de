"""Compression once more: JPEG or WebP, with a grid of blocks that may lie anywhere.

A picture that was cropped or shifted since it was first compressed has two grids of blocks, which
do not meet. Real codecs make the artefacts: `jpeg` (libjpeg-turbo) and OpenCV's libwebp.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from semanir_arch.data.degradations.jpeg import compress_jpeg
from semanir_arch.utils.errors import InputError

__all__ = ["CODECS", "compress"]

Floats = NDArray[np.float32]

CODECS = ("jpeg", "webp")

_LARGEST_WEBP = 16383


def compress(
    image: Floats,
    quality: int,
    *,
    codec: str = "jpeg",
    chroma: str = "4:2:0",
    shift: tuple[int, int] = (0, 0),
) -> Floats:
    """An image as it looks after it was rounded to 8 bits and compressed.

    Args:
        image: (H, W, C) float32, gray or RGB; clipped to [0, 1].
        quality: Quality from 1 (worst) to 100.
        codec: Name of the codec, one of `CODECS`; WebP is lossy at every quality.
        chroma: "4:2:0" or "4:4:4"; WebP has 4:2:0 only.
        shift: Rows and columns of the image before the first whole block, 0 or more.

    Returns:
        (H, W, C) float32 in [0, 1], on 8-bit levels.

    Raises:
        ValueError: An argument is not allowed.
    """
    if codec not in CODECS:
        raise InputError(f"codec must be one of {', '.join(CODECS)}, received {codec!r}")
    if min(shift) < 0:
        raise InputError(f"shift must be 0 or more, received {shift}")
    pixels = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    down, right = shift
    padded = np.pad(pixels, ((down, 0), (right, 0), (0, 0)), mode="edge")
    if codec == "jpeg":
        coded = compress_jpeg(padded, quality, chroma=chroma)
    else:
        coded = _webp(padded, quality)
    return coded[down:, right:].astype(np.float32) / np.float32(255)


def _webp(pixels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    if not 1 <= quality <= 100:
        raise InputError(f"quality must be from 1 to 100, received {quality!r}")
    if max(pixels.shape[:2]) > _LARGEST_WEBP:
        raise InputError(f"WebP holds up to {_LARGEST_WEBP} pixels a side, received {pixels.shape}")
    # WebP stores colour only
    color = np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))
    # lossy: OpenCV is lossless above 100 only
    settings = [cv2.IMWRITE_WEBP_QUALITY, int(quality)]
    data = cv2.imencode(".webp", cv2.cvtColor(color, cv2.COLOR_RGB2BGR), settings)[1]
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
    assert decoded is not None, "OpenCV must read what it wrote"
    if pixels.shape[2] == 3:
        return np.asarray(decoded, np.uint8)
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_RGB2GRAY), np.uint8)[..., None]
