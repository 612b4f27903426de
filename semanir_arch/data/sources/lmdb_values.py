"""What a value of our LMDBs looks like: raw pixels behind a header, or an image file.

Raw pixels can be cropped where they lie in the file; a checksum in the header tells whether all of
them are as they were written.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from semanir_arch.data.files.bounds import opened
from semanir_arch.data.files.image_io import decode_image
from semanir_arch.utils.errors import InputError, InputTypeError

# mark, bits per sample, channels, height, width, CRC-32 of the pixels
_HEADER = struct.Struct("<8sHHIII")
_MARK = b"RAWPIX\0\1"
_TYPES: dict[int, Any] = {8: np.dtype("u1"), 16: np.dtype("<u2")}


class Summary(NamedTuple):
    """Shape of a stored image; `kind` is 'raw' or the format of the image file, such as 'png'."""

    height: int
    width: int
    channels: int
    kind: str


def pack_raw(pixels: NDArray[Any]) -> bytes:
    """Pixels (H, W, C) uint8 or uint16, RGB order, as a raw value.

    Raises:
        TypeError: The pixels are of another type.
        ValueError: The array has another shape.
    """
    bits = 8 * pixels.dtype.itemsize
    if pixels.dtype not in (np.uint8, np.uint16):
        raise InputTypeError(f"pixels must be uint8 or uint16, received {pixels.dtype}")
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 2, 3, 4) or pixels.size == 0:
        raise InputError(f"pixels must be (H, W, 1 to 4), received {pixels.shape}")
    height, width, channels = pixels.shape
    body = pixels.astype(_TYPES[bits]).tobytes()
    return _HEADER.pack(_MARK, bits, channels, height, width, zlib.crc32(body)) + body


def unpack(value: memoryview, name: str, *, verify: bool) -> NDArray[Any]:
    """Pixels (H, W, C) of a value: a view of it where it is raw.

    Args:
        value: Value from the LMDB.
        name: Name of the image in error messages.
        verify: Whether to compare raw pixels with their checksum.

    Raises:
        ValueError: The value is damaged, or no image.
    """
    if bytes(value[: len(_MARK)]) != _MARK:
        return decode_image(bytes(value), name).pixels
    summary, bits, checksum = _raw_header(value, name)
    body = value[_HEADER.size :]
    if verify and zlib.crc32(body) != checksum:
        raise InputError(f"{name}: the pixels are damaged (wrong checksum)")
    return np.frombuffer(body, _TYPES[bits]).reshape(summary[:3])


def summarize(value: memoryview, name: str) -> Summary:
    """Shape of a stored image, from its header alone.

    Raises:
        ValueError: The value is damaged, or no image.
    """
    if bytes(value[: len(_MARK)]) == _MARK:
        return _raw_header(value, name)[0]
    with opened(bytes(value), name) as found:
        file = found.file
        return Summary(file.height, file.width, len(file.getbands()), str(file.format).lower())


def _raw_header(value: memoryview, name: str) -> tuple[Summary, int, int]:
    """Shape, bits per sample and checksum."""
    if len(value) < _HEADER.size:
        raise InputError(f"{name}: cut short")
    _, bits, channels, height, width, checksum = _HEADER.unpack_from(value)
    expected = _HEADER.size + height * width * channels * bits // 8
    if bits not in _TYPES or len(value) != expected:
        raise InputError(f"{name}: damaged, {len(value)} bytes instead of {expected}")
    return Summary(height, width, channels, "raw"), bits, checksum
