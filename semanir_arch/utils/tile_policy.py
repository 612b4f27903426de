"""The one rule for large images: whole or in tiles, and what follows when the memory ends.

`semanir-restore`, the page, test.py and the validation of a training all follow it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from semanir_arch.utils.tiling import Tiling

__all__ = ["OVERLAP", "TILES", "WHOLE_PIXELS", "attempts", "count_pixels", "make_tiling"]

WHOLE_PIXELS = 2**20
"""Pixels, with padding, up to which an image is restored whole: networks take a few kilobytes of
memory for each, and even computers with much memory may have too little beyond."""

TILES = (512, 256, 128)
"""Sides of the tiles that are tried for larger images, in pixels."""

OVERLAP = 64
"""Pixels that tiles share unless told otherwise, or a quarter of a small tile."""


def attempts(
    size: tuple[int, int],
    tile: int | str | None,
    overlap: int | None = None,
    *,
    multiple: int = 1,
    least: int = 0,
) -> Iterator[Tiling | None]:
    """Ways to cut an image, the best first; the next is for a device that had too little memory.

    Args:
        size: Height and width of the image in pixels.
        tile: Side of the tiles; None for whole images; "auto" for whole images up to
            `WHOLE_PIXELS`, larger ones in the first of `TILES` that fits into the memory.
        overlap: Pixels that tiles share; None for `OVERLAP`.
        multiple: The network works on multiples of it; an image of 60,000 x 1 pixels is padded.
        least: Fewest pixels that tiles may share.

    Yields:
        A tiling, or None for the whole image.
    """
    if isinstance(tile, int):
        chosen = make_tiling(tile, overlap, least)
        yield None if chosen.fits(*size) else chosen
        return
    whole = math.prod(-(-side // multiple) * multiple for side in size) <= WHOLE_PIXELS
    if tile is None or whole:
        yield None
    if tile == "auto":
        for side in TILES:
            chosen = make_tiling(side, overlap, least)
            if not (whole and chosen.fits(*size)):
                yield chosen


def make_tiling(tile: int, overlap: int | None, least: int = 0) -> Tiling:
    """Tiles of a side that share a fitting number of pixels.

    Args:
        tile: Side in pixels; larger where `least` asks for it.
        overlap: Pixels that tiles share; None for `OVERLAP`, or a quarter of a small tile.
        least: Fewest pixels that tiles may share.

    Raises:
        ValueError: Tile and overlap contradict each other.
    """
    asked = Tiling(tile, min(OVERLAP, tile // 4) if overlap is None else overlap)
    return Tiling(max(tile, 2 * least), max(asked.overlap, least))


def count_pixels(tiling: Tiling | None, size: tuple[int, int], multiple: int = 1) -> int:
    """Pixels that a network is given at once, with padding.

    Args:
        tiling: Tiling from `attempts`.
        size: Height and width of the image in pixels.
        multiple: Size multiple; see `attempts`.
    """
    sides = size if tiling is None else [min(tiling.tile, side) for side in size]
    return math.prod(-(-side // multiple) * multiple for side in sides)
