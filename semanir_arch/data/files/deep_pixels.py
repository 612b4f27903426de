"""Pixels of more than 8 bits per channel, which Pillow would reduce to 8.

| format | read by | values |
| --- | --- | --- |
| PNG, TIFF of 16 bits | OpenCV | as stored |
| gray TIFF of 12 bits | Pillow | scaled to 16 bits |
| JPEG 2000 of 9 to 16 bits, AVIF of 10 and 12 bits | OpenCV | scaled to 16 bits |
| HEIC of 10 and 12 bits | pillow-heif | scaled to 16 bits |
| PPM and PGM with values above 255 | here | scaled to 16 bits |

What none of them can read is refused in words, never reduced.
"""

from __future__ import annotations

import re
from typing import Any

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from semanir_arch.data.files.heic import decode_deep_heic
from semanir_arch.data.files.parts import PNG_SIGNATURE, boxes
from semanir_arch.utils.errors import InputError

__all__ = ["bits_per_sample", "decode_deep", "name_of_pixels", "with_transparent"]

# positions in the header chunk of a PNG file (PNG specification, 11.2.1)
_PNG_BIT_DEPTH, _PNG_COLOR_TYPE = 24, 25
_PNG_GRAY_WITH_ALPHA = 4

_WHITE = 65_535

_TIFF_BITS_PER_SAMPLE = 258
# TIFF 6.0, section 8
_TIFF_PHOTOMETRIC, _TIFF_WHITE_IS_ZERO, _TIFF_GRAY_AND_RGB = 262, 0, (0, 1, 2)
_TIFF_PLANAR, _TIFF_SEPARATE_PLANES = 284, 2
# TIFF 6.0, sections 18 and 19
_TIFF_EXTRA_SAMPLES, _TIFF_UNSPECIFIED, _TIFF_ASSOCIATED_ALPHA = 338, 0, 1
_TIFF_SAMPLE_FORMAT, _TIFF_UNSIGNED = 339, 1

_PNM_HEADER = re.compile(rb"P([2356])" + rb"(?:\s|#[^\r\n]*[\r\n])+(\d+)" * 3 + rb"\s")
_PNM_LONGEST_HEADER = 2**16

# AV1 in ISOBMFF, 2.3.3: bits in the third byte of the configuration
_AV1_HIGH, _AV1_TWELVE = 0x40, 0x20

# ISO/IEC 15444-1, A.5.1: begin of the codestream and of its sizes
_J2K_SIZES = b"\xff\x4f\xff\x51"
_J2K_COMPONENTS, _J2K_SIGNED = 42, 0x80

_NAMES = {
    "F": "32-bit floating-point numbers",
    "I": "32-bit whole numbers, or signed ones",
    "LAB": "CIELAB colors",
    "HSV": "HSV colors",
}


def name_of_pixels(mode: str) -> str:
    """Everyday name of a pixel type of Pillow."""
    return _NAMES.get(mode, f"of type {mode!r}")


def bits_per_sample(file: PIL.Image.Image, data: bytes) -> int:
    """The largest number of bits of a channel of a pixel; 8 for formats that have no choice.

    Args:
        file: File opened by Pillow.
        data: Contents of the file.
    """
    if data.startswith(PNG_SIGNATURE):
        return data[_PNG_BIT_DEPTH]
    if file.format == "TIFF":
        return max(file.tag_v2.get(_TIFF_BITS_PER_SAMPLE, (1,)))  # type: ignore[attr-defined]
    if file.format == "PPM":
        header = _PNM_HEADER.match(data[:_PNM_LONGEST_HEADER])
        return 8 if header is None else int(header[4]).bit_length()
    if file.format == "JPEG2000":
        return max(_precisions(data), default=8)
    if file.format == "HEIF":
        return int(file.info.get("bit_depth", 8))
    return _av1_bits(data) if file.format == "AVIF" else 8


def decode_deep(file: PIL.Image.Image, data: bytes, bits: int) -> NDArray[Any]:
    """Pixels of a file of 9 to 16 bits, scaled to 16; TIFF files are turned upright.

    Args:
        file: The same file, opened by Pillow.
        data: Contents of the file.
        bits: Result of `bits_per_sample`.

    Returns:
        Shape (H, W, C), uint16, RGB order, colors not multiplied by alpha.

    Raises:
        ValueError: It cannot be decoded, or has pixels of a kind that is not read.
        OSError: It is cut short.
    """
    if file.format == "HEIF":
        return _decode_heic(file, data, bits)
    # OpenCV may fill up what is missing from a file that was cut short; Pillow raises
    file.load()
    if file.format == "TIFF":
        return _decode_tiff(file, data, bits)
    if file.format == "PPM":
        return _decode_pnm(data)
    if bits > 16 or (file.format == "JPEG2000" and len(set(_precisions(data))) > 1):
        raise InputError(f"channels of {bits} bits are not read; allowed: 16 in all of them")
    pixels = _decode_with_opencv(data)
    if pixels.shape[:2] != (file.height, file.width):
        raise InputError("its decoders disagree on its size")
    if file.format != "PNG":
        return _widened(pixels, bits)
    if data[_PNG_COLOR_TYPE] == _PNG_GRAY_WITH_ALPHA:
        pixels = pixels[..., [0, 3]]
    transparent = file.info.get("transparency")
    return pixels if transparent is None else with_transparent(pixels, transparent)


def _decode_heic(file: PIL.Image.Image, data: bytes, bits: int) -> NDArray[Any]:
    pixels = _widened(decode_deep_heic(data), bits)
    if file.mode.endswith("a"):
        _divide_by_alpha(pixels)
    return pixels


def with_transparent(pixels: NDArray[Any], level: int | tuple[int, ...]) -> NDArray[Any]:
    """Pixels with alpha: 0 where they have one level or color, in the depth of the pixels."""
    levels = (level,) if isinstance(level, int) else level
    color = pixels[..., : len(levels)]
    white = np.iinfo(pixels.dtype).max
    # of a level, as many bits count as the pixels have (PNG specification, 11.3.2.1)
    wanted = np.array([value & white for value in levels], pixels.dtype)
    alpha = np.where((color == wanted).all(axis=2), 0, white).astype(pixels.dtype)
    return np.dstack([color, alpha])


def _decode_with_opencv(data: bytes) -> NDArray[Any]:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise InputError("these pixels of more than 8 bits cannot be decoded")
    if pixels.dtype != np.uint16:
        raise InputError(
            f"its pixels are {pixels.dtype}; allowed: unsigned whole numbers of up to 16 bits"
        )
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    if pixels.shape[2] >= 3:
        pixels = pixels[..., [2, 1, 0, *range(3, pixels.shape[2])]]
    return np.asarray(pixels)


def _widened(pixels: NDArray[Any], bits: int) -> NDArray[Any]:
    """Levels of so many bits as the same shares of 16, to the nearest."""
    return _scaled(pixels, 2**bits - 1)


def _scaled(values: NDArray[Any], largest: int) -> NDArray[Any]:
    if values.size and int(values.max()) > largest:
        raise InputError(f"holds a value above {largest}, its largest")
    if largest == _WHITE:
        return values.astype(np.uint16)
    # the largest product just fits
    wide = values.astype(np.uint32) * np.uint32(_WHITE) + np.uint32(largest // 2)
    return (wide // np.uint32(largest)).astype(np.uint16)


def _decode_tiff(file: PIL.Image.Image, data: bytes, bits: int) -> NDArray[Any]:
    tags = file.tag_v2  # type: ignore[attr-defined]
    if file.mode == "I;16" and bits < 16:
        return _widened(np.asarray(file)[..., None], bits)
    if tags.get(_TIFF_PLANAR) == _TIFF_SEPARATE_PLANES and len(file.getbands()) > 1:
        # OpenCV takes them for interleaved ones
        raise InputError("16-bit channels in separate planes are not supported; interleave them")
    formats = set(tags.get(_TIFF_SAMPLE_FORMAT, (_TIFF_UNSIGNED,)))
    if bits != 16 or formats != {_TIFF_UNSIGNED}:
        raise InputError(
            f"its pixels are {name_of_pixels(file.mode)}; allowed: unsigned whole numbers of up "
            "to 16 bits"
        )
    if tags.get(_TIFF_PHOTOMETRIC) not in _TIFF_GRAY_AND_RGB:
        raise InputError("16-bit pixels that are neither gray nor RGB are not read")
    pixels = _decode_with_opencv(data)
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
    return pixels


def _decode_pnm(data: bytes) -> NDArray[Any]:
    """PPM or PGM with two bytes for a value, or with numbers (netpbm's ppm and pgm, format)."""
    header = _PNM_HEADER.match(data[:_PNM_LONGEST_HEADER])
    if header is None:
        raise InputError("its header is damaged")
    kind, width, height, largest = map(int, header.groups())
    if largest > _WHITE:
        raise InputError(f"its largest value is {largest}; allowed: 65535")
    channels = 1 if kind in (2, 5) else 3
    count = width * height * channels
    if kind in (5, 6):
        values = np.frombuffer(data, ">u2", count, header.end())
    else:
        values = np.array(data[header.end() :].split(maxsplit=count)[:count], np.uint32)
    return _scaled(values.reshape(height, width, channels), largest)


def _precisions(data: bytes) -> list[int]:
    """Bits of each component of a JPEG 2000 file; signed ones count as too many."""
    place = data.find(_J2K_SIZES)
    if place < 0:
        return []
    start = place + _J2K_COMPONENTS
    count = int.from_bytes(data[start - 2 : start], "big")
    sizes = data[start : start + 3 * count : 3]
    return [(size & ~_J2K_SIGNED) + 1 + 38 * (size >= _J2K_SIGNED) for size in sizes]


def _av1_bits(data: bytes) -> int:
    """Bits of an AVIF file; of several pictures in it, the most."""
    bits = 8
    for kind, start, stop in boxes(data):
        place = start
        while kind != b"mdat" and (place := data.find(b"av1C", place, stop)) >= 0:
            flags = data[place + 6] if place + 6 < stop else 0
            if flags & _AV1_HIGH:
                bits = max(bits, 12 if flags & _AV1_TWELVE else 10)
            place += 4
    return bits


def _divide_by_alpha(pixels: NDArray[Any]) -> None:
    """Undo, in place, that the colors of 16-bit RGBA were multiplied by alpha; 0 where that is."""
    alpha = pixels[..., 3].astype(np.uint32)
    divisor = np.maximum(alpha, 1)
    for channel in range(3):
        color = np.minimum(pixels[..., channel], alpha)
        # to the nearest level; the largest sum just fits
        pixels[..., channel] = (color * np.uint32(_WHITE) + alpha // 2) // divisor
