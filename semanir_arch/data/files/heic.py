"""HEIC photos, as phones take them, through pillow-heif (package of the extra `formats`)."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from semanir_arch.data.files.parts import boxes
from semanir_arch.utils.errors import InputError

__all__ = ["check_extents", "decode_deep_heic", "heic_notes", "open_heic"]

# more than the places of pixels need: a file may name some twice, such as those of a thumbnail
_TIMES_NAMED, _ALWAYS_ALLOWED_BYTES = 2, 2**18
_MOST_ITEMS = 5_000


def open_heic(stream: BytesIO) -> PIL.Image.Image:
    """Open a photo, of several the main one; its header is read, its pixels are not."""
    # heavy, and not always there
    from pillow_heif import HeifImageFile

    file: PIL.Image.Image = HeifImageFile(stream)
    return file


def decode_deep_heic(data: bytes) -> NDArray[Any]:
    """Pixels of a photo of 10 or 12 bits, upright.

    Returns:
        (H, W, C), uint16 with the levels that it has, RGB order.
    """
    from pillow_heif import open_heif

    images = open_heif(data, convert_hdr_to_8bit=False, hdr_to_16bit=False)
    pixels = np.asarray(images[images.primary_index])
    return pixels.reshape(*pixels.shape[:2], -1)


def heic_notes(info: dict[Any, Any]) -> list[str]:
    """Name the parts of a photo that are not read.

    Args:
        info: Information from `open_heic`.
    """
    extras = {
        "depth map": info.get("depth_images"),
        "gain map or another layer": info.get("aux"),
    }
    return [f"its {name} is not kept" for name, found in extras.items() if found]


def check_extents(data: bytes) -> None:
    """Refuse a file whose items are together far longer than it: they name the same bytes.

    Raises:
        ValueError: They are, or there are too many.
    """
    for kind, start, stop in boxes(data):
        if kind != b"meta":
            continue
        for inner, begin, end in boxes(data, start + 4, stop):
            if inner == b"iloc":
                _check_places(memoryview(data)[begin:end], len(data))


def _check_places(box: memoryview, size: int) -> None:
    """Add up the lengths in a box iloc (ISO/IEC 14496-12, 8.11.3)."""
    version = box[0] if len(box) else 0
    reader = _Reader(box, 4)
    sizes, more = reader.number(1), reader.number(1)
    widths = sizes >> 4, sizes & 15, more >> 4, more & 15 if version else 0
    wide = 2 if version < 2 else 4
    total = items = 0
    for _ in range(reader.number(wide)):
        reader.number(wide + (2 if version else 0) + 2)
        reader.number(widths[2])
        extents = reader.number(2)
        items += 1 + extents
        for _ in range(extents):
            reader.number(widths[3] + widths[0])
            # a length of nothing means all of the file
            total += reader.number(widths[1]) or (0 if reader.is_over else size)
            if reader.is_over:
                return
        if items > _MOST_ITEMS or total > _TIMES_NAMED * size + _ALWAYS_ALLOWED_BYTES:
            raise InputError(f"names {items} parts of {total} bytes in a file of {size}")
        if reader.is_over:
            return


class _Reader:
    """Numbers one after another; zeros, once the box is over."""

    def __init__(self, box: memoryview, place: int) -> None:
        self._box, self._place = box, place

    @property
    def is_over(self) -> bool:
        return self._place > len(self._box)

    def number(self, width: int) -> int:
        start, self._place = self._place, self._place + width
        return 0 if self.is_over else int.from_bytes(self._box[start : self._place], "big")
