"""Whether a network took away noise, or the picture: noise lies everywhere, texture in places."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from semanir_arch.restoring.diagnosis.limits import limit

__all__ = ["found_grain", "is_visible", "measure_change", "took_noise", "unevenness"]

_BLOCK, _ROWS = 16, 256
_FEW = 8
"""Blocks; with fewer, nothing can be told."""

_LOW, _HIGH = 0.2, 0.8
"""Shares of the blocks from which less was taken."""

_ROUNDING = 0.1
"""Levels that rounding may leave in a block; added, lest nothing be divided by nothing."""

_DARK, _BRIGHT = 10.0, 245.0
"""Beyond these means, noise was cut off, on the 0-255 scale."""

_SEEN = 45.0
"""PSNR in decibels between a picture and a result beyond which nothing worth it was found."""


def took_noise(before: npt.NDArray[Any], after: npt.NDArray[Any]) -> bool:
    """Whether what a network took away is spread as evenly as noise, and not where texture is.

    Args:
        before: Picture as the network saw it, (H, W, C), perhaps with alpha; uint8 or uint16.
        after: Result of the network, of the same shape and type.
    """
    return unevenness(before, after) <= limit("uneven_change")


def found_grain(
    before: npt.NDArray[Any], after: npt.NDArray[Any], strength: float | None = None
) -> bool:
    """Whether a network that was only tried took away something that can be seen, and evenly.

    Args:
        before: Picture as the network saw it; see `took_noise`.
        after: Result of the network.
        strength: Share of the change that was kept in the result; None for all of it.
    """
    seen = is_visible(before, after, strength)
    return seen and unevenness(before, after) <= limit("even_grain")


def is_visible(
    before: npt.NDArray[Any], after: npt.NDArray[Any], strength: float | None = None
) -> bool:
    """Whether the whole change is more than nobody would see; arguments as of `found_grain`."""
    share = 1.0 if strength is None else strength
    return measure_change(before, after)[1] > share**2 * 10 ** (-_SEEN / 10)


def measure_change(before: npt.NDArray[Any], after: npt.NDArray[Any]) -> tuple[float, float]:
    """Mean absolute and mean squared change, for values in [0, 1].

    Args:
        before: (H, W, C), uint8 or uint16.
        after: Result, of the same shape and type.
    """
    white = float(np.iinfo(before.dtype).max)
    total = squares = 0.0
    # some rows at a time: pictures may be large
    for rows in range(0, len(before), _ROWS):
        part = slice(rows, rows + _ROWS)
        change = (after[part].astype(np.float32) - before[part].astype(np.float32)) / white
        total += float(np.abs(change).sum(dtype=np.float64))
        squares += float(np.square(change, dtype=np.float64).sum())
    return total / before.size, squares / before.size


def unevenness(before: npt.NDArray[Any], after: npt.NDArray[Any]) -> float:
    """How much more was taken from parts where much was taken than from parts where little was.

    Args:
        before: (H, W, C), perhaps with alpha; uint8 or uint16.
        after: Result, of the same shape and type.

    Returns:
        Ratio of two deviations of the change in brightness, at the 80th and the 20th hundredth of
        all blocks that are neither black nor white; 1 if there are too few blocks to tell.
    """
    scale = np.float32(255 / np.iinfo(before.dtype).max)
    rows, columns = (length // _BLOCK for length in before.shape[:2])
    colors = 1 if before.shape[2] <= 2 else 3
    deviations, means = np.empty((rows, columns)), np.empty((rows, columns))
    for row in range(rows):
        part = np.s_[row * _BLOCK : (row + 1) * _BLOCK, : columns * _BLOCK, :colors]
        result = after[part].astype(np.float32).mean(axis=2) * scale
        change = before[part].astype(np.float32).mean(axis=2) * scale - result
        deviations[row] = _blocks(change, columns).std(axis=(0, 2))
        means[row] = _blocks(result, columns).mean(axis=(0, 2))
    seen = deviations[(means > _DARK) & (means < _BRIGHT)]
    if seen.size < _FEW:
        return 1.0
    low, high = np.quantile(seen, (_LOW, _HIGH)) + _ROUNDING
    return float(high / low)


def _blocks(strip: npt.NDArray[np.float32], columns: int) -> npt.NDArray[np.float32]:
    """The blocks (16, columns, 16) of a strip of 16 rows."""
    return strip.reshape(_BLOCK, columns, _BLOCK)
