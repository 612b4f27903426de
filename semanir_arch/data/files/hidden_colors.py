"""Colors of transparent and weak pixels, before a network sees them or opacity is dropped.

Nobody sees the color of a transparent pixel, and programs leave anything there, black most often.
A network mixes it into the visible pixels beside it, which get a dark rim. So a pixel that is weak
beside its neighbors takes the color that these have, weighted by their opacity: from coarser and
coarser means of the image, the finest that has something visible (the pull-push method; S. Gortler
et al., "The Lumigraph", SIGGRAPH 1996, section 3.4).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["with_visible_colors"]

_ROWS = 256
"""Rows in floating point at once; even."""

_REACH = 7
"""Side in pixels of the neighborhood whose strongest pixel says what is weak in it."""

_HIDDEN, _VISIBLE = 1 / 8, 1 / 4
"""Opacity as a share of the strongest neighbor's: below, the color is replaced; above, kept."""

_LEAST = 1 / 4
"""The strongest neighbor counts at least as this share of the strongest pixel of all."""

_POWER = 4
"""Power of opacity, as a weight: a large faint area must not outweigh a small visible one."""

Floats = npt.NDArray[np.float32]


def with_visible_colors(
    layers: npt.NDArray[Any], tick: Callable[[], None] = lambda: None
) -> npt.NDArray[Any]:
    """Give hidden pixels the colors of visible ones; opacity stays.

    Args:
        layers: An image (H, W, C), where C is 2 (gray, opacity) or 4 (RGB, opacity); of any type.
        tick: Function called now and then; an error it raises ends the work.

    Returns:
        The same object where nothing is hidden or nothing visible; else a copy, in which pixels
        that are visible beside their neighbors are unchanged.
    """
    channels = layers.shape[2] - 1
    strongest = float(layers[..., channels].max())
    if not strongest > 0 or float(layers[..., channels].min()) >= _VISIBLE * strongest:
        return layers
    means, weights = _halved(layers, channels, strongest, tick)
    around = _filled(means, weights)
    result = layers.copy()
    for top in range(0, layers.shape[0], _ROWS):
        tick()
        rows = slice(top, min(top + _ROWS, layers.shape[0]))
        _replace(result, layers, channels, rows, around, strongest)
    return result


def _replace(
    result: npt.NDArray[Any],
    layers: npt.NDArray[Any],
    channels: int,
    rows: slice,
    around: Floats,
    strongest: float,
) -> None:
    """Write the colors of some rows."""
    kept = _kept_share(layers[..., channels], rows, strongest)
    if bool((kept >= 1).all()):
        return
    own = layers[rows, :, :channels].astype(np.float32)
    near = _doubled_rows(around, rows, layers.shape[1])
    mixed = near + (own - near) * kept[..., None]
    if layers.dtype.kind == "u":
        mixed = np.rint(mixed)
    # what is visible stays as it is, bit by bit
    changed = kept < 1
    result[rows, :, :channels][changed] = mixed[changed].astype(layers.dtype)


def _kept_share(alpha: npt.NDArray[Any], rows: slice, strongest: float) -> Floats:
    """How much of their own color pixels keep, 0 to 1."""
    margin = _REACH // 2
    begin, end = max(rows.start - margin, 0), min(rows.stop + margin, alpha.shape[0])
    part = (alpha[begin:end].astype(np.float32) / np.float32(strongest)).clip(min=0)
    neighbour = cv2.dilate(part, np.ones((_REACH, _REACH), np.uint8))
    inner = slice(rows.start - begin, rows.stop - begin)
    share = part[inner] / np.maximum(neighbour[inner], np.float32(_LEAST))
    return np.asarray((share - _HIDDEN) / (_VISIBLE - _HIDDEN), np.float32).clip(0, 1)


def _halved(
    layers: npt.NDArray[Any], channels: int, strongest: float, tick: Callable[[], None]
) -> tuple[Floats, npt.NDArray[np.float32]]:
    """Means of 2 x 2 pixels, (h, w, C), and weights (h, w), which grow steeply with opacity."""
    height, width = (-(-side // 2) for side in layers.shape[:2])
    means = np.empty((height, width, channels), np.float32)
    weights = np.empty((height, width), np.float32)
    for top in range(0, layers.shape[0], _ROWS):
        tick()
        part = layers[top : top + _ROWS]
        own = (part[..., channels].astype(np.float32) / np.float32(strongest)).clip(min=0) ** _POWER
        rows = slice(top // 2, top // 2 + -(-len(part) // 2))
        means[rows], weights[rows] = _coarser(part[..., :channels].astype(np.float32), own)
    return means, weights


def _coarser(colors: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Weighted means over 2 x 2 cells, and the sums of the weights, up to 1."""
    own = np.dstack([colors * weights[..., None], weights])
    bottom, right = (side % 2 for side in weights.shape)
    own = cv2.copyMakeBorder(own, 0, bottom, 0, right, cv2.BORDER_CONSTANT, value=0)
    size = (own.shape[1] // 2, own.shape[0] // 2)
    sums = np.asarray(cv2.resize(own, size, interpolation=cv2.INTER_AREA), np.float32)
    sums *= 4
    total = sums[..., -1]
    # below this, floats would not hold the quotient
    means = np.asarray(sums[..., :-1] / np.maximum(total, 1e-12)[..., None], np.float32)
    return means, np.minimum(total, np.float32(1))


def _filled(means: Floats, weights: Floats) -> Floats:
    """Means where every cell has a color: where its weight is small, that of coarser ones."""
    levels = [(means, weights)]
    while max(levels[-1][1].shape) > 1:
        levels.append(_coarser(*levels[-1]))
    filled = levels.pop()[0]
    while levels:
        means, weights = levels.pop()
        near = _doubled_rows(filled, slice(0, means.shape[0]), means.shape[1])
        filled = near + (means - near) * weights[..., None]
    return filled


def _doubled_rows(coarse: Floats, rows: slice, width: int) -> Floats:
    """Some rows of an image at twice the size, linear between the centres of its cells."""
    begin, end = max(rows.start // 2 - 1, 0), min(-(-rows.stop // 2) + 1, coarse.shape[0])
    part = np.ascontiguousarray(coarse[begin:end])
    size = (2 * part.shape[1], 2 * part.shape[0])
    doubled = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_LINEAR), np.float32)
    inner = slice(rows.start - 2 * begin, rows.stop - 2 * begin)
    return doubled.reshape(size[1], size[0], -1)[inner, :width]
