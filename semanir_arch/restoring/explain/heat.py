"""From similarities and attention weights to the 256 colors in which they are drawn."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from semanir_arch.restoring.explain.semantics import Region

__all__ = ["PALETTE", "VIEWS", "levels", "scale"]

VIEWS = ("similarity", "attention")
"""Views that can be drawn."""

# the darkest colors would look like tokens that are not kept
_LEVELS = np.linspace(50, 255, 256).round().astype(np.uint8)

PALETTE: npt.NDArray[np.uint8] = np.ascontiguousarray(
    cv2.applyColorMap(_LEVELS[None], cv2.COLORMAP_INFERNO)[0, :, ::-1]
)
"""Colors of the levels 0 to 255, from dark to bright, RGB (256, 3)."""


def levels(region: Region, view: str) -> npt.NDArray[np.uint8]:
    """Scale the values of a region to 0..255.

    Similarity from the lowest to the highest of the region; attention from 0 to the largest weight.

    Args:
        region: Region of one token.
        view: View, one of `VIEWS`.

    Returns:
        Shape (h, w).
    """
    values = getattr(region, view)
    return scale(values, values.min() if view == "similarity" else 0, values.max())


def scale(
    values: npt.NDArray[np.float32], low: npt.ArrayLike, high: npt.ArrayLike
) -> npt.NDArray[np.uint8]:
    """Map [low, high] to 0..255, and everything to 255 where the two are equal."""
    low = np.asarray(low, np.float32)
    span = np.asarray(high, np.float32) - low
    shares = np.where(span > 0, (values - low) / np.where(span > 0, span, 1), 1)
    return np.rint(shares.clip(0, 1) * 255).astype(np.uint8)
