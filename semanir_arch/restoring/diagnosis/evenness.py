"""Whether a network took away noise, or the picture: noise lies everywhere, texture in places."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from semanir_arch.restoring.diagnosis.limits import limit

__all__ = ["found_grain", "took_texture", "unevenness"]

_BLOCK = 16
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


def took_texture(before: npt.NDArray[Any], after: npt.NDArray[Any]) -> bool:
    """Whether what a network took away is spread less evenly than noise.

    Args:
        before: Picture as the network saw it, (H, W, C), perhaps with alpha; uint8 or uint16.
        after: Result of the network, of the same shape and type.
    """
    return unevenness(before, after) > limit("uneven_change")


def found_grain(
    before: npt.NDArray[Any], after: npt.NDArray[Any], strength: float | None = None
) -> bool:
    """Whether a network that was only tried took away something that counts, and evenly.

    Args:
        before: Picture as the network saw it; see `took_texture`.
        after: Result of the network.
        strength: Share of the change that was kept in the result; None for all of it.
    """
    if unevenness(before, after) > limit("even_grain"):
        return False
    squares = 0.0
    # some rows at a time, as below
    for row in range(0, len(before), _BLOCK):
        part = slice(row, row + _BLOCK)
        error = before[part].astype(np.float32) - after[part].astype(np.float32)
        squares += float(np.square(error).sum(dtype=np.float64))
    white = float(np.iinfo(before.dtype).max)
    share = 1.0 if strength is None else strength
    return squares / before.size > (share * white) ** 2 * 10 ** (-_SEEN / 10)


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
    # a row of blocks at a time: pictures may be large
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
