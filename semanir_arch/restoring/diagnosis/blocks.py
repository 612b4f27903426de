"""JPEG compression: from a file's own tables, or from what it left in the pixels of any file.

A JPEG file names the steps in which its DCT coefficients were rounded. Pixels that were once such a
file, whatever they are stored in now, still have coefficients near multiples of these steps, in
blocks of 8 x 8 pixels that may begin anywhere since a picture can have been cut.
"""

from __future__ import annotations

import functools
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

__all__ = ["Compression", "find_compression", "quality_of_tables"]

_SIDE = 8
_QUALITIES = tuple(range(3, 98))

_NEAR = 0.35
"""Errors of coefficients rounded to the right steps, as a share of those of any others."""

_NEARLY_LOSSLESS = 40
"""Coefficients that are not zero; with fewer, nothing can be told."""

_MOST_BLOCKS = 6000
_SMOOTH = 4.0
"""Second differences beyond it count no more: they are the picture's own."""

_NOISE = 0.6
"""Noise of a brightness coefficient from rounding pixels to 8 bits, a standard deviation."""

# Frequencies that pictures have enough of, row and column; the first, the mean, is left out.
_FREQUENCIES = [(v, u) for v in range(6) for u in range(6) if 1 <= v + u <= 5]
_ROWS, _COLUMNS = (np.array(axis) for axis in zip(*_FREQUENCIES, strict=True))


@dataclass(frozen=True)
class Compression:
    """Compression of a picture.

    Args:
        quality: Quality on libjpeg's scale, 1 to 100.
        in_file: Whether the file itself says so; otherwise it was found in the pixels.
    """

    quality: int
    in_file: bool


def quality_of_tables(tables: dict[int, Any]) -> int | None:
    """Quality of libjpeg whose luma steps come nearest to a file's.

    Args:
        tables: Quantization tables of 64 steps each, by number, as Pillow reads them
            (`file.quantization`).
    """
    if not tables:
        return None
    steps = np.asarray(tables[min(tables)], np.float64).ravel()
    if steps.size != _SIDE**2 or (steps <= 0).any():
        return None
    # programs order them as rows or in zigzag; the sum does not care
    distances = {q: abs(np.log(steps.sum() / _luma_steps(q).sum())) for q in range(1, 101)}
    return min(distances, key=lambda quality: distances[quality])


def find_compression(luma: NDArray[np.float32]) -> Compression | None:
    """Look for rounded coefficients.

    Args:
        luma: (H, W), 0-255, as it was decoded.

    Returns:
        Compression; None without traces: the picture was never compressed, or scaled since, or so
        little that rounding to 8 bits hides it.
    """
    if min(luma.shape) < 4 * _SIDE:
        return None
    best = min((_fit(luma[top:, left:]) for top, left in _origins(luma)), default=(1.0, 100))
    return Compression(best[1], in_file=False) if best[0] < _NEAR else None


def _origins(luma: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Possible origins of blocks: the first pixel, and where the edges of blocks are strongest."""
    steps = [_edge_of(np.abs(np.diff(luma, 2, axis=axis)), axis) for axis in (0, 1)]
    return list(dict.fromkeys([(0, 0), (steps[0], steps[1])]))


def _edge_of(changes: NDArray[np.float32], axis: int) -> int:
    """Place of the first edge of blocks along an axis, from second differences."""
    # in smooth parts the edges of blocks are seen, in others everything else
    profile = np.minimum(changes, _SMOOTH).mean(axis=1 - axis)
    length = len(profile) // _SIDE * _SIDE
    sums = profile[:length].reshape(-1, _SIDE).mean(axis=0)
    # differences that begin one and two pixels before the edge cross it
    return int((np.argmax(sums + np.roll(sums, -1)) + 2) % _SIDE)


def _fit(luma: NDArray[np.float32]) -> tuple[float, int]:
    """Distance of the coefficients from multiples of the best quality's steps, and that quality."""
    coefficients = _coefficients(luma)
    if not len(coefficients):
        return 1.0, 100
    results = []
    for quality in _QUALITIES:
        steps = _luma_steps(quality)[_ROWS, _COLUMNS].astype(np.float32)
        # finer steps are always near, and tell nothing
        coarse = steps >= 2 * _NOISE * 2
        if coarse.sum() < 3:
            continue
        chosen, step = coefficients[:, coarse], steps[coarse]
        multiple = np.rint(chosen / step)
        present = multiple != 0
        if present.sum() < _NEARLY_LOSSLESS:
            continue
        error = np.square(chosen - multiple * step)[present].sum()
        chance = (np.square(step) / 12 * present).sum()
        results.append((float(error / chance), quality))
    return min(results, default=(1.0, 100))


def _coefficients(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    """DCT coefficients (blocks, frequencies) of blocks that begin at the first pixel."""
    rows, columns = (length // _SIDE for length in luma.shape)
    grid = luma[: rows * _SIDE, : columns * _SIDE].reshape(rows, _SIDE, columns, _SIDE)
    blocks = grid.swapaxes(1, 2).reshape(-1, _SIDE, _SIDE)
    # white and black were cut off after the rounding
    inside = (blocks.min(axis=(1, 2)) > 0) & (blocks.max(axis=(1, 2)) < 255)
    blocks = blocks[inside]
    blocks = blocks[:: max(1, len(blocks) // _MOST_BLOCKS)]
    basis = _basis()
    return np.asarray((basis @ blocks @ basis.T)[:, _ROWS, _COLUMNS], np.float32)


@functools.cache
def _basis() -> NDArray[np.float32]:
    """The orthonormal DCT of 8 values (ITU-T T.81, A.3.3)."""
    frequency, place = np.mgrid[:_SIDE, :_SIDE]
    basis = np.sqrt(2 / _SIDE) * np.cos((2 * place + 1) * frequency * np.pi / (2 * _SIDE))
    basis[0] /= np.sqrt(2)
    return basis.astype(np.float32)


@functools.cache
def _luma_steps(quality: int) -> NDArray[np.float64]:
    """Luma steps (8, 8) of a quality of libjpeg."""
    buffer = io.BytesIO()
    PIL.Image.new("L", (_SIDE, _SIDE)).save(buffer, "JPEG", quality=quality)
    with PIL.Image.open(buffer) as file:
        tables = file.quantization  # type: ignore[attr-defined]
    return np.array(tables[0], np.float64).reshape(_SIDE, _SIDE)
