"""PNG files written, or read, at the speed that large data sets need.

Every row gets the filter "Sub" (difference to the pixel on its left), and Intel's ISA-L (package
`isal`) compresses it: three times as fast as OpenCV's default and nearly as small. Without the
package, zlib codes the differences by their frequency only, somewhat faster than OpenCV.

Files that are not compressed, and so not filtered either, are as large as the pixels; reading one
is little more than copying it.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semanir_arch.utils.errors import InputError, InputTypeError

try:
    from isal import isal_zlib
except ImportError:
    _HAS_ISAL = False
else:
    _HAS_ISAL = True

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# PNG specification, 11.2.1: gray, gray with alpha, RGB, RGB with alpha
_COLOR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
_FILTER_NONE, _FILTER_SUB = 0, 1


def encode_fast_png(pixels: NDArray[Any], *, compress: bool = True) -> bytes:
    """The contents of a PNG file.

    Args:
        pixels: (H, W, C), uint8 or uint16, C from 1 (gray) to 4 (RGB and alpha), RGB order.
        compress: Half the size, and three to four times the time to read.

    Raises:
        TypeError: The pixels are neither uint8 nor uint16.
        ValueError: The array has another shape, or is empty.
    """
    if pixels.dtype not in (np.uint8, np.uint16):
        raise InputTypeError(f"pixels must be uint8 or uint16, received {pixels.dtype}")
    if pixels.ndim != 3 or pixels.shape[2] not in _COLOR_TYPES or pixels.size == 0:
        raise InputError(f"pixels must be (H, W, 1 to 4), received {pixels.shape}")
    height, width, channels = pixels.shape
    depth = 8 * pixels.dtype.itemsize
    header = struct.pack(">IIBBBBB", width, height, depth, _COLOR_TYPES[channels], 0, 0, 0)
    rows = _rows(pixels)
    if compress:
        data = _deflate(_filtered(rows, channels * pixels.dtype.itemsize))
    else:
        data = zlib.compress(_unfiltered(rows).data, 0)
    return b"".join(
        (_SIGNATURE, *_chunk(b"IHDR", header), *_chunk(b"IDAT", data), *_chunk(b"IEND", b""))
    )


def _rows(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """The bytes of every row, the high one of 16 bits first."""
    if pixels.dtype == np.uint16:
        pixels = pixels.astype(">u2")
    return np.ascontiguousarray(pixels).view(np.uint8).reshape(len(pixels), -1)


def _unfiltered(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Rows as they are, each after the number of its filter."""
    return np.pad(rows, [(0, 0), (1, 0)], constant_values=_FILTER_NONE)


def _filtered(rows: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """Differences to the pixel `step` bytes before, each row after the number of its filter."""
    filtered = np.empty((len(rows), rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = _FILTER_SUB
    filtered[:, 1 : 1 + step] = rows[:, :step]
    np.subtract(rows[:, step:], rows[:, :-step], out=filtered[:, 1 + step :])
    return filtered


def _deflate(data: NDArray[np.uint8]) -> bytes:
    if _HAS_ISAL:
        return isal_zlib.compress(data.data, 1)
    compressor = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_HUFFMAN_ONLY)
    return compressor.compress(data.data) + compressor.flush()


def _chunk(kind: bytes, body: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    return struct.pack(">I", len(body)), kind, body, struct.pack(">I", _crc32(body, _crc32(kind)))


def _crc32(data: bytes, start: int = 0) -> int:
    return isal_zlib.crc32(data, start) if _HAS_ISAL else zlib.crc32(data, start)
