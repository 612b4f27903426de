"""Pixels of 16 bits per channel, which Pillow would reduce to 8: by OpenCV, and put right."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

__all__ = ["PNG_SIGNATURE", "bits_per_sample", "decode_16_bit"]

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# positions in the header chunk of a PNG file (PNG specification, 11.2.1)
_PNG_BIT_DEPTH, _PNG_COLOR_TYPE = 24, 25
_PNG_GRAY_WITH_ALPHA = 4

_WHITE = 65_535

_TIFF_BITS_PER_SAMPLE = 258
# TIFF 6.0, section 8
_TIFF_PHOTOMETRIC, _TIFF_WHITE_IS_ZERO = 262, 0
_TIFF_PLANAR, _TIFF_SEPARATE_PLANES = 284, 2
# TIFF 6.0, section 18
_TIFF_EXTRA_SAMPLES, _TIFF_UNSPECIFIED, _TIFF_ASSOCIATED_ALPHA = 338, 0, 1


def bits_per_sample(file: PIL.Image.Image, data: bytes) -> int:
    """Bits of a channel of a pixel; 8 for formats that have no choice.

    Args:
        file: Opened by Pillow.
        data: Its contents.
    """
    if data.startswith(PNG_SIGNATURE):
        return data[_PNG_BIT_DEPTH]
    if file.format == "TIFF":
        return max(file.tag_v2.get(_TIFF_BITS_PER_SAMPLE, (1,)))  # type: ignore[attr-defined]
    return 8


def decode_16_bit(file: PIL.Image.Image, data: bytes) -> NDArray[Any]:
    """Pixels of a 16-bit file, as stored but for TIFF files, which OpenCV turns upright.

    Args:
        file: The same file, opened by Pillow.
        data: Contents of a PNG or TIFF file.

    Returns:
        Shape (H, W, C), uint16, RGB order, colours not multiplied by alpha.

    Raises:
        ValueError: It cannot be decoded.
        OSError: It is cut short.
    """
    # OpenCV may fill up what is missing from a file that was cut short; Pillow raises
    file.load()
    tags = file.tag_v2 if file.format == "TIFF" else {}  # type: ignore[attr-defined]
    if tags.get(_TIFF_PLANAR) == _TIFF_SEPARATE_PLANES and len(file.getbands()) > 1:
        # OpenCV takes them for interleaved ones
        raise ValueError("16-bit channels in separate planes are not supported; interleave them")
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ValueError("OpenCV cannot decode these 16-bit pixels")
    if pixels.dtype != np.uint16:
        raise ValueError(f"pixel type {pixels.dtype} is not supported; 8 and 16 bits are")
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    if pixels.shape[2] >= 3:
        pixels = pixels[..., [2, 1, 0, *range(3, pixels.shape[2])]]
    if data.startswith(PNG_SIGNATURE) and data[_PNG_COLOR_TYPE] == _PNG_GRAY_WITH_ALPHA:
        pixels = pixels[..., [0, 3]]
    if tags.get(_TIFF_PHOTOMETRIC) == _TIFF_WHITE_IS_ZERO:
        # OpenCV gives them as stored
        pixels = np.uint16(_WHITE) - pixels
    if pixels.shape[2] == 4:
        # as Pillow does with 8 bits; where the tag is missing, the channel is alpha
        extra = tags.get(_TIFF_EXTRA_SAMPLES, ())[:1]
        if extra == (_TIFF_UNSPECIFIED,):
            pixels = pixels[..., :3]
        elif extra == (_TIFF_ASSOCIATED_ALPHA,):
            _divide_by_alpha(pixels)
    if pixels.shape[2] == 1 and isinstance(transparent := file.info.get("transparency"), int):
        pixels = np.dstack([pixels, np.where(pixels == transparent, 0, _WHITE).astype(np.uint16)])
    return pixels


def _divide_by_alpha(pixels: NDArray[Any]) -> None:
    """Undo, in place, that the colours of 16-bit RGBA were multiplied by alpha; 0 where that is."""
    alpha = pixels[..., 3].astype(np.uint32)
    divisor = np.maximum(alpha, 1)
    for channel in range(3):
        color = np.minimum(pixels[..., channel], alpha)
        # to the nearest level; the largest sum just fits
        pixels[..., channel] = (color * np.uint32(_WHITE) + alpha // 2) // divisor
