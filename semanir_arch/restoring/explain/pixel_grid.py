"""Which part of a photo is explained, and for which of its pixels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Grid", "choose_area", "choose_grid"]

WHOLE_PIXELS, WHOLE_SIDE = 2**20, 4096
"""Photos up to this size, and no longer than this, are explained whole."""

AREA = 512
"""Side, at least, of the part of a larger photo that is explained, pixels."""


@dataclass(frozen=True)
class Grid:
    """Pixels (y, x) at equal distances.

    Attributes:
        rows: Rows (y) of the pixels.
        columns: Columns (x) of the pixels.
    """

    rows: range
    columns: range

    @property
    def pixels(self) -> Tensor:
        """All of them in reading order, shape (P, 2), int64."""
        return torch.cartesian_prod(torch.tensor(self.rows), torch.tensor(self.columns))

    def index(self, y: int, x: int) -> int:
        """Place of a pixel of the grid in `pixels`."""
        return self.rows.index(y) * len(self.columns) + self.columns.index(x)


def choose_area(
    size: tuple[int, int], pixel: tuple[int, int], multiple: int
) -> tuple[slice, slice]:
    """Choose rows and columns around a pixel; all of them in photos up to a megapixel.

    Args:
        size: Height and width of the photo.
        pixel: Position (y, x) of the pixel, which the area will hold.
        multiple: The area begins at a multiple of it, so that its windows are the photo's.
    """
    if size[0] * size[1] <= WHOLE_PIXELS and max(size) <= WHOLE_SIDE:
        return slice(0, size[0]), slice(0, size[1])
    # two multiples at least: rounding the start must not lose the pixel
    side = max(2, -(-AREA // multiple)) * multiple
    rows, columns = (
        _around(place, length, side, multiple) for place, length in zip(pixel, size, strict=True)
    )
    return rows, columns


def _around(place: int, length: int, side: int, multiple: int) -> slice:
    last = -(-max(0, length - side) // multiple) * multiple
    start = min(max(0, place - side // 2) // multiple * multiple, last)
    return slice(start, min(start + side, length))


def choose_grid(size: tuple[int, int], pixel: tuple[int, int], cost: int, budget: int) -> Grid:
    """Choose the densest grid through a pixel that a budget allows.

    Args:
        size: Height and width of the area.
        pixel: Position (y, x) of the pixel.
        cost: Bytes per pixel of the grid.
        budget: Bytes for all together; one pixel is always chosen.
    """
    step = 1
    while True:
        rows, columns = (
            range(place % step, length, step) for place, length in zip(pixel, size, strict=True)
        )
        if len(rows) * len(columns) * cost <= budget or len(rows) * len(columns) == 1:
            return Grid(rows, columns)
        step += 1
