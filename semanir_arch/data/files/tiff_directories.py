"""Which of several pictures in a TIFF file is meant, by their tags.

Files of cameras and scanners may begin with a small copy of the picture (TIFF 6.0, section 8, and
Adobe's supplement 1, which adds directories below others).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from semanir_arch.utils.errors import InputError

__all__ = ["full_picture_first", "holds_all_strips", "is_raw_tiff"]

_WIDTH, _HEIGHT, _PHOTOMETRIC, _SUB_DIRECTORIES, _DNG_VERSION = 256, 257, 262, 330, 50706
_KIND, _OLD_KIND = 254, 255
# bits of the kind: a copy of less resolution, a mask; and that of the older tag
_REDUCED, _MASK, _OLD_REDUCED = 1, 4, 2
# pixels behind color filters, and sensor values of all colors (TIFF/EP; DNG, chapter 4)
_RAW_KINDS = (32803, 34892)
_PLACES, _LENGTHS = (273, 324), (279, 325)

_HEADERS = {b"II*\0": "<", b"MM\0*": ">"}
_TYPES = {1: "B", 3: "H", 4: "I", 13: "I"}
_MOST_DIRECTORIES, _MOST_ENTRIES, _MOST_VALUES = 64, 4_000, 100_000

_SIMILAR, _LARGER = 0.02, 2
"""How much the shapes of a picture and of its small copy differ, and how much larger it is."""


class _Values(NamedTuple):
    kind: int
    number: int
    place: int


@dataclass(frozen=True)
class _Directory:
    """A picture: where its directory lies, and its tags."""

    data: bytes
    order: str
    place: int
    tags: dict[int, _Values]

    def values(self, tag: int) -> tuple[int, ...]:
        """Whole numbers of a tag; none where it is missing, of another type, or cut short."""
        kind, number, place = self.tags.get(tag, _Values(0, 0, 0))
        letter = _TYPES.get(kind)
        if letter is None or not 0 < number <= _MOST_VALUES:
            return ()
        layout = f"{self.order}{number}{letter}"
        size = struct.calcsize(layout)
        if size > 4:
            (place,) = struct.unpack_from(self.order + "I", self.data, place)
        if place + size > len(self.data):
            return ()
        return struct.unpack_from(layout, self.data, place)

    def value(self, tag: int, default: int) -> int:
        return next(iter(self.values(tag)), default)

    @property
    def is_full(self) -> bool:
        """Whether it is neither a small copy nor a mask."""
        kind, old = self.value(_KIND, 0), self.value(_OLD_KIND, 0)
        return not (kind & (_REDUCED | _MASK) or old == _OLD_REDUCED)

    @property
    def size(self) -> tuple[int, int]:
        return self.value(_WIDTH, 0), self.value(_HEIGHT, 0)

    @property
    def is_raw(self) -> bool:
        return self.value(_PHOTOMETRIC, 0) in _RAW_KINDS

    def is_small_copy_of(self, other: _Directory) -> bool:
        """Whether it looks like one, whatever its tags say."""
        (width, height), (full_width, full_height) = self.size, other.size
        if min(width, height) < 1 or full_width < _LARGER * width:
            return False
        ratio = (full_width / width) / (full_height / height) if full_height else 0
        return abs(ratio - 1) < _SIMILAR


def is_raw_tiff(data: bytes) -> bool:
    """Whether a file with the header of TIFF holds what a sensor measured."""
    found = list(_directories(data))
    return any(_DNG_VERSION in one.tags for one in found[:1]) or any(one.is_raw for one in found)


def holds_all_strips(data: bytes) -> bool:
    """Whether all sensor values that a raw file with the header of TIFF names lie within it."""
    for one in _directories(data):
        for places, lengths in zip(_PLACES, _LENGTHS, strict=True):
            pairs = zip(one.values(places), one.values(lengths), strict=False)
            if one.is_raw and any(place + length > len(data) for place, length in pairs):
                return False
    return True


def full_picture_first(data: bytes) -> bytes:
    """A TIFF file whose first picture is the full one.

    Args:
        data: Contents of the file; other formats are returned unchanged.

    Returns:
        The same object where the first picture is the one; else a copy that begins elsewhere.

    Raises:
        ValueError: The first is a small copy, and the full one is not there; or tags do not tell.
    """
    found = list(_directories(data))
    if not found:
        return data
    first, others = found[0], [one for one in found[1:] if one.is_full]
    if first.is_full:
        if any(first.is_small_copy_of(other) for other in others):
            raise InputError(
                "its first picture is smaller than another of the same shape, and no tag tells "
                "which is meant; save the picture alone"
            )
        return data
    if not others:
        raise InputError("its first picture is a small copy of another, which is not read")
    return data[:4] + struct.pack(first.order + "I", others[0].place) + data[8:]


def _directories(data: bytes) -> Iterator[_Directory]:
    """Directories in the order of the chain, each followed by those below it."""
    order = _HEADERS.get(data[:4])
    if order is None or len(data) < 8:
        return
    pending = [struct.unpack_from(order + "I", data, 4)[0]]
    seen: set[int] = set()
    entries = 0
    while pending and len(seen) < _MOST_DIRECTORIES:
        place = pending.pop(0)
        if place in seen or not 8 <= place <= len(data) - 2:
            continue
        seen.add(place)
        (count,) = struct.unpack_from(order + "H", data, place)
        end = place + 2 + 12 * count
        entries += count
        if entries > _MOST_ENTRIES or end > len(data):
            return
        tags: dict[int, _Values] = {}
        for start in range(place + 2, end, 12):
            tag, kind, number = struct.unpack_from(order + "HHI", data, start)
            tags.setdefault(tag, _Values(kind, number, start + 8))
        directory = _Directory(data, order, place, tags)
        yield directory
        following = [struct.unpack_from(order + "I", data, end)[0]] if end + 4 <= len(data) else []
        pending = [*directory.values(_SUB_DIRECTORIES)[:_MOST_DIRECTORIES], *pending, *following]
