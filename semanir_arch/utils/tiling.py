"""Large images in overlapping tiles, blended so that no seam shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from semanir_arch.utils.errors import InputError

__all__ = ["Tiling", "restore_tiled", "restored_bands"]


@dataclass(frozen=True)
class Tiling:
    """Size and overlap of tiles.

    Args:
        tile: Side of a tile in pixels of the input; rounded up to a multiple of the network's.
        overlap: Pixels that neighboring tiles share at least; less than a tile. The outer quarter
            of it is thrown away, because there the network saw the cut, and over the inner half one
            tile fades into the next.

    Raises:
        ValueError: The numbers contradict each other.
    """

    tile: int
    overlap: int = 32

    def __post_init__(self) -> None:
        if self.tile < 1:
            raise InputError(f"tile must be 1 pixel or more, received {self.tile}")
        if not 0 <= self.overlap < self.tile:
            raise InputError(
                f"overlap must be 0 or more and less than the tile of {self.tile} pixels, "
                f"received {self.overlap}"
            )

    def fits(self, height: int, width: int) -> bool:
        """Whether one tile holds a whole image."""
        return max(height, width) <= self.tile


@dataclass(frozen=True)
class _Span:
    """Part of one axis of the image.

    Args:
        start: First pixel.
        stop: Position after the last pixel.
        weights: (stop - start,) share of this tile in the result; all tiles together have 1.
    """

    start: int
    stop: int
    weights: Tensor


def restore_tiled(
    function: Callable[[Tensor], Tensor],
    x: Tensor,
    tiling: Tiling,
    *,
    multiple: int = 1,
    scale: int = 1,
) -> Tensor:
    """Apply a network tile by tile; see `restored_bands`.

    Memory is that of the network on one tile, plus the input and the result.

    Args:
        function: Network, as for `restored_bands`.
        x: Shape (B, C, H, W).
        tiling: Tiling, as for `restored_bands`.
        multiple: Size multiple, as for `restored_bands`.
        scale: Enlargement of the network.

    Returns:
        Shape (B, C', `scale` H, `scale` W), float32, on the device of `x`.
    """
    height, width = x.shape[-2:]
    bands = restored_bands(
        function,
        lambda rows, columns: x[..., rows, columns],
        (height, width),
        tiling,
        multiple=multiple,
        scale=scale,
    )
    result, top = x.new_empty(0), 0
    for band in bands:
        if top == 0:
            shape = (*band.shape[:2], height * scale, width * scale)
            result = torch.empty(shape, dtype=band.dtype, device=band.device)
        result[..., top : top + band.shape[-2], :] = band
        top += band.shape[-2]
    return result


def restored_bands(
    function: Callable[[Tensor], Tensor],
    read: Callable[[slice, slice], Tensor],
    size: tuple[int, int],
    tiling: Tiling,
    *,
    multiple: int = 1,
    scale: int = 1,
    progress: Callable[[float], None] | None = None,
) -> Iterator[Tensor]:
    """Apply a network tile by tile, and give the rows of the result as they are finished.

    Memory is that of the network on one tile, plus one row of tiles of the result. Where the
    network reaches less far than a quarter of the overlap, the result is that of the whole image.

    Args:
        function: Function from (B, C, h, w) to (B, C', `scale` h, `scale` w), for any h and w; it
            may work on another device.
        read: Rows and columns of the image -> (B, C, h, w).
        size: Height H and width W of the image.
        tiling: Size and overlap of the tiles.
        multiple: Number of pixels at whose multiples tiles begin, so that a network's windows lie
            in the tile as they lie in the whole image.
        scale: Enlargement of the network.
        progress: Function that is told the share of finished tiles, up to 1, after each.

    Yields:
        Shape (B, C', h, `scale` W), float32, on the device of what `read` returns; together
        `scale` H rows.
    """
    rows, columns = (_spans(length, tiling, multiple) for length in size)
    done = 0
    begun: Tensor | None = None
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        band: Tensor | None = None
        for column in columns:
            tile = read(slice(row.start, row.stop), slice(column.start, column.stop))
            part = function(tile).to(tile.device, torch.float32)
            if band is None:
                height = (row.stop - row.start) * scale
                band = part.new_zeros(*part.shape[:2], height, size[1] * scale)
            band[..., column.start * scale : column.stop * scale] += _share(part, row, column)
            done += 1
            if progress is not None:
                progress(done / (len(rows) * len(columns)))
        assert band is not None, "every image has a tile"
        if begun is not None:
            band[..., : begun.shape[-2], :] += begun
        finished = band.shape[-2] if following is None else (following.start - row.start) * scale
        # a copy: a view would keep the whole band while the next one is made
        begun = band[..., finished:, :].clone()
        yield band[..., :finished, :]


def _share(part: Tensor, row: _Span, column: _Span) -> Tensor:
    """Weight of a restored tile in the result."""
    if bool((row.weights == 1).all() and (column.weights == 1).all()):
        return part
    vertical, horizontal = (
        span.weights.to(part.device).repeat_interleave(part.shape[axis] // len(span.weights))
        for axis, span in ((-2, row), (-1, column))
    )
    return part * vertical[:, None] * horizontal


def _spans(length: int, tiling: Tiling, multiple: int) -> list[_Span]:
    """Cut one axis into parts of nearly equal overlap."""
    bounds = list(_bounds(length, tiling, multiple))
    profiles = []
    for start, stop in bounds:
        # Distance from the nearest cut; the border of the image is none.
        place = torch.arange(start, stop, dtype=torch.float64)
        distance = torch.full_like(place, torch.inf)
        if start > 0:
            distance = torch.minimum(distance, place - start + 1)
        if stop < length:
            distance = torch.minimum(distance, stop - place)
        margin = tiling.overlap // 4
        fade = max(tiling.overlap - 2 * margin, 1) + 1
        profiles.append(((distance - margin) / fade).clamp(0, 1))
    total = torch.zeros(length, dtype=torch.float64)
    for (start, stop), profile in zip(bounds, profiles, strict=True):
        total[start:stop] += profile
    return [
        _Span(start, stop, (profile / total[start:stop]).float())
        for (start, stop), profile in zip(bounds, profiles, strict=True)
    ]


def _bounds(length: int, tiling: Tiling, multiple: int) -> Iterator[tuple[int, int]]:
    tile = -(-tiling.tile // multiple) * multiple
    # Steps are multiples too; what rounding takes from the step is added to the overlap.
    step = max((tile - tiling.overlap) // multiple, 1) * multiple
    if tile - step < tiling.overlap:
        tile = step + -(-tiling.overlap // multiple) * multiple
    start = 0
    while True:
        yield start, min(start + tile, length)
        if start + tile >= length:
            return
        start += step
