"""The parts that image files consist of: chunks of PNG, boxes of AVIF and JPEG 2000."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from semanir_arch.utils.errors import InputError

__all__ = ["PNG_SIGNATURE", "boxes", "png_chunks", "png_header_chunks"]

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

# sound files have kilobytes in a chunk
_ALWAYS_ALLOWED, _BYTES_PER_PART = 10_000, 64


def png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Walk through the chunks of a PNG file, up to its end chunk (PNG specification, 5.3).

    Yields:
        Name, begin and end of the content.

    Raises:
        ValueError: It ends within a chunk, or has too many for its size.
    """
    position, name, count = len(PNG_SIGNATURE), b"", 0
    allowed = _ALWAYS_ALLOWED + len(data) // _BYTES_PER_PART
    while name != b"IEND":
        # length, name, content, checksum
        if position + 12 > len(data):
            raise InputError(f"cut short behind chunk {name!r}")
        length, name = struct.unpack_from(">I4s", data, position)
        start = position + 8
        position += 12 + length
        count += 1
        if position > len(data):
            raise InputError(f"cut short within chunk {name!r}")
        if count > allowed:
            raise InputError(f"has more than {allowed} chunks in {len(data)} bytes")
        yield name, start, start + length


def png_header_chunks(data: bytes) -> dict[bytes, bytes]:
    """Contents of the chunks in front of the pixels, the first of each name.

    Raises:
        ValueError: As `png_chunks`.
    """
    found: dict[bytes, bytes] = {}
    for name, start, stop in png_chunks(data):
        if name == b"IDAT":
            break
        found.setdefault(name, data[start:stop])
    return found


def boxes(data: bytes, start: int = 0, stop: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Walk through the boxes of one level (ISO/IEC 14496-12, 4.2; ISO/IEC 15444-1, I.4).

    Yields:
        Type, begin and end of the content; nothing more where the file is damaged.
    """
    stop = len(data) if stop is None else stop
    for _ in range(_ALWAYS_ALLOWED):
        if start + 8 > stop:
            return
        size, kind = struct.unpack_from(">I4s", data, start)
        header = 8
        if size == 1 and start + 16 <= stop:
            (size,) = struct.unpack_from(">Q", data, start + 8)
            header = 16
        end = stop if size == 0 else start + size
        if end > stop or end < start + header:
            return
        yield kind, start + header, end
        start = end
