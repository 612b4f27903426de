"""Directories of tags inside image files, as EXIF uses them: their size before they are read.

Pillow copies the value of every entry when it opens one. 65,535 entries may all name the same
megabyte (TIFF 6.0, section 2).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

import PIL.Image

from semanir_arch.utils.errors import InputError

__all__ = ["check_directories", "embedded_directories", "read_exif"]

_NAME = b"Exif\0\0"
_PNG_TEXT = "Raw profile type exif"
"""Under which ImageMagick stores EXIF data in PNG, as hexadecimal digits behind three lines."""

_HEADER = re.compile(rb"II\*\0|MM\0\*")
_MOST_BLOCKS = 200
_ENTRY = 12
# bytes of a value by the number of its type, 1 to 13 (13: a directory, of TIFF's supplement 1)
_SIZES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4)
# EXIF, GPS and interoperability
_POINTERS = (34665, 34853, 40965)

_LARGEST_ENTRIES, _ALWAYS_ALLOWED_BYTES = 5_000, 2**18


def embedded_directories(data: bytes) -> Iterator[memoryview]:
    """The places in a file that look like the beginning of EXIF data, and what follows each.

    Raises:
        ValueError: There are far more than a sound file has.
    """
    for count, found in enumerate(_HEADER.finditer(data)):
        if count == _MOST_BLOCKS:
            raise InputError(f"has more than {_MOST_BLOCKS} blocks of EXIF data")
        yield memoryview(data)[found.start() :]


def check_directories(block: memoryview) -> None:
    """Refuse directories whose values are together far longer than what holds them.

    Args:
        block: EXIF data, from their byte order on. Damaged ones pass: who reads them finds that.

    Raises:
        ValueError: They have too many entries or too long values.
    """
    order = "<" if bytes(block[:2]) == b"II" else ">"
    entries = total = 0
    pending, seen = [_number(block, order + "I", 4)], set[int]()
    while pending:
        place = pending.pop()
        if place in seen:
            continue
        seen.add(place)
        count = _number(block, order + "H", place)
        for start in range(place + 2, min(place + 2 + count * _ENTRY, len(block) - 11), _ENTRY):
            tag, kind, number, value = struct.unpack_from(order + "HHII", block, start)
            size = _SIZES[kind] * number if kind < len(_SIZES) else 0
            entries += 1
            total += size if size <= len(block) else 0
            if tag in _POINTERS:
                pending.append(value)
        if entries > _LARGEST_ENTRIES or total > 2 * len(block) + _ALWAYS_ALLOWED_BYTES:
            raise InputError(f"its metadata have {entries} entries of {total} bytes, too many")


def read_exif(file: PIL.Image.Image) -> PIL.Image.Exif:
    """EXIF data of an opened file, those of a TIFF file its tags.

    Raises:
        Exception: Of any type, where they are damaged or too long.
    """
    blocks = [file.info.get("exif"), file.info.get(_PNG_TEXT)]
    for block in blocks:
        content = block
        if isinstance(block, str):
            content = bytes.fromhex("".join(block.split("\n")[3:]))
        if isinstance(content, bytes):
            check_directories(memoryview(content.removeprefix(_NAME)))
    return file.getexif()


def _number(block: memoryview, layout: str, place: int) -> int:
    """A number at a place; 0 where the block has ended."""
    if place + struct.calcsize(layout) > len(block):
        return 0
    (number,) = struct.unpack_from(layout, block, place)
    return int(number)
