"""Pixels of an opened image file, in the depth it has and upright."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from semanir_arch.data.files.bounds import DECODER_ERRORS
from semanir_arch.data.files.deep_pixels import (
    bits_per_sample,
    decode_deep,
    name_of_pixels,
    with_transparent,
)
from semanir_arch.data.files.directories import read_exif
from semanir_arch.data.files.parts import PNG_SIGNATURE, png_header_chunks
from semanir_arch.utils.errors import InputError

__all__ = ["decode_pixels"]

_EXIF_ORIENTATION = 274

_READABLE_MODES = {
    "1": "L",
    "P": "RGB",
    "PA": "RGBA",
    "CMYK": "RGB",
    "YCbCr": "RGB",
    "RGBX": "RGB",
    "RGBa": "RGBA",
    "La": "LA",
} | {mode: mode for mode in ("L", "LA", "RGB", "RGBA")}

_PNG_GRAY, _PNG_RGB = 0, 2
_PNG_COLOR_TYPE, _PNG_BIT_DEPTH = 25, 24


def decode_pixels(file: PIL.Image.Image, data: bytes) -> tuple[NDArray[Any], int]:
    """Decode an opened file.

    Args:
        file: File opened by Pillow.
        data: Contents of the file.

    Returns:
        Pixels (H, W, C), uint8 or uint16, RGB order, upright; and the orientation they had in the
        file, 1 to 8.

    Raises:
        Exception: Of any type, where it is damaged.
    """
    bits = bits_per_sample(file, data)
    if file.format == "HEIF":
        # its decoder turns it; how it was held, its XMP may still say
        pixels = decode_deep(file, data, bits) if bits > 8 else _decode_8_bit(file, data)
        turned = file.info.get("original_orientation") or 1
        return _upright(pixels.reshape(*pixels.shape[:2], -1), 1), turned
    if bits > 8:
        # OpenCV itself turns TIFF files upright
        orientation = 1 if file.format == "TIFF" else _orientation(file)
        return _upright(decode_deep(file, data, bits), orientation), _orientation(file)
    pixels = _decode_8_bit(file, data)
    # after loading, because Pillow itself turns TIFF files upright
    orientation = _orientation(file)
    return _upright(pixels.reshape(*pixels.shape[:2], -1), orientation), orientation


def _decode_8_bit(file: PIL.Image.Image, data: bytes) -> NDArray[Any]:
    if file.mode not in _READABLE_MODES:
        raise InputError(
            f"its pixels are {name_of_pixels(file.mode)}; allowed: unsigned whole numbers of up to "
            "16 bits"
        )
    mode = _READABLE_MODES[file.mode]
    file.load()
    transparent = file.info.get("transparency")
    if transparent is None:
        return np.asarray(file if file.mode == mode else file.convert(mode))
    if data.startswith(PNG_SIGNATURE) and data[_PNG_COLOR_TYPE] in (_PNG_GRAY, _PNG_RGB):
        # Pillow compares pixels, which it has scaled to 8 bits, with levels, which it has not
        opaque = np.asarray(file.convert(mode))
        return with_transparent(opaque.reshape(*opaque.shape[:2], -1), _png_level(data))
    return np.asarray(file.convert("LA" if mode in ("L", "LA") else "RGBA"))


def _png_level(data: bytes) -> tuple[int, ...]:
    """The transparent level or color of a PNG file, in 8 bits."""
    levels = png_header_chunks(data).get(b"tRNS", b"")
    values = struct.unpack_from(f">{3 if data[_PNG_COLOR_TYPE] == _PNG_RGB else 1}H", levels)
    bits = data[_PNG_BIT_DEPTH]
    # the least significant bits count (PNG specification, 11.3.2.1)
    return tuple((value & (2**bits - 1)) * 255 // (2**bits - 1) for value in values)


def _orientation(file: PIL.Image.Image) -> int:
    """Orientation of the camera, 1 to 8 (EXIF 2.3, tag 274); 1 if it is damaged."""
    try:
        value = read_exif(file).get(_EXIF_ORIENTATION, 1)
    except DECODER_ERRORS:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Undo the camera's orientation (EXIF 2.3, tag 274), as a contiguous array of our own."""
    if orientation in (5, 7):
        pixels = pixels.swapaxes(0, 1)
    turns = {3: 2, 6: -1, 7: 2, 8: 1}.get(orientation, 0)
    pixels = np.rot90(pixels, turns)
    if orientation in (2, 4):
        pixels = np.flip(pixels, axis=1 if orientation == 2 else 0)
    return np.array(pixels, order="C")
