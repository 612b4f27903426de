"""NIQE, a score without target, through BasicSR.

A. Mittal, R. Soundararajan, A. C. Bovik, Making a "Completely Blind" Image Quality Analyzer, IEEE
Signal Processing Letters 20(3), 2013. BasicSR's function agrees with the authors' code on ordinary
photographs, and stops with an error of linear algebra on small and on flat ones.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semanir_arch import host
from semanir_arch.metrics.registered import Border

__all__ = ["semanir_niqe"]

_BLOCK = 96
# the covariance between features is that of at least two blocks
_FEWEST_BLOCKS = 2


def semanir_niqe(
    img: NDArray[Any], img2: NDArray[Any] | None = None, crop_border: Border = 0
) -> float:
    """Distance from the statistics of natural photographs; lower is better, 2 to 10 is usual.

    Args:
        img: (H, W, 3) BGR or (H, W), (H, W, 1) gray; uint8. Luma is compared.
        img2: The target, which is not looked at.
        crop_border: Pixels to leave out at each edge.

    Returns:
        Score; `nan` if it is not defined: with fewer than two blocks of 96 x 96 pixels inside the
        border, or without structure.

    Raises:
        TypeError: The image is not uint8.
    """
    del img2
    if img.dtype != np.uint8:
        raise TypeError(f"images must be uint8, received {img.dtype}")
    height, width = ((length - 2 * crop_border) // _BLOCK for length in img.shape[:2])
    if min(height, width) < 1 or height * width < _FEWEST_BLOCKS:
        return math.nan
    calculate = host.load("basicsr.metrics.niqe").calculate_niqe
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore", RuntimeWarning)
            return float(calculate(img, crop_border))
    except np.linalg.LinAlgError:
        return math.nan
