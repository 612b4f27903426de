"""From a finished picture back to what the sensor saw, and forward again.

The steps and their inverses follow T. Brooks et al., Unprocessing Images for Learned Raw Denoising,
CVPR 2019 (arXiv 1811.11127): tone curve, gamma, color matrix, white balance. The order of a
camera's steps is that of H. C. Karaimer and M. S. Brown, A Software Platform for Manipulating the
Camera Imaging Pipeline, ECCV 2016.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Look", "from_sensor", "neutral_matrix", "to_sensor"]

Pixels = NDArray[np.float32]

_LEAST = 1e-8


@dataclass(frozen=True)
class Look:
    """Conversion of a camera from light to stored colors.

    Args:
        gains: White balance: factors of red and blue, 1 or more.
        matrix: (3, 3) from the sensor's colors, white-balanced, to linear sRGB; rows sum to 1, so
            that gray stays gray.
        exposure: Part of the sensor's range that the picture fills, above 0 to 1.
        gamma: Exponent: stored value = light ** (1 / gamma).
        has_curve: Whether a curve of contrast follows: smoothstep, 3 x^2 - 2 x^3.
    """

    gains: tuple[float, float]
    matrix: NDArray[Any]
    exposure: float
    gamma: float
    has_curve: bool

    @property
    def balance(self) -> Pixels:
        """Factors of red, green and blue."""
        return np.array([self.gains[0], 1.0, self.gains[1]], np.float32)


def neutral_matrix(off_diagonal: NDArray[Any]) -> NDArray[Any]:
    """A color matrix whose rows sum to 1.

    Args:
        off_diagonal: Six numbers, row by row.
    """
    matrix = np.zeros((3, 3))
    matrix[~np.eye(3, dtype=bool)] = off_diagonal
    matrix[np.eye(3, dtype=bool)] = 1 - matrix.sum(axis=1)
    return matrix


def to_sensor(image: Pixels, look: Look) -> Pixels:
    """Compute what a sensor would have seen, in its own colors.

    Args:
        image: (H, W, 3) RGB as stored, range [0, 1].
        look: Look of the camera.

    Returns:
        (H, W, 3) linear, range [0, 1]; colors that the camera cannot record are clipped.
    """
    values = image.clip(0, 1)
    if look.has_curve:
        values = 0.5 - np.sin(np.arcsin(1 - 2 * values) / 3)
    light = np.maximum(values, _LEAST) ** look.gamma
    light = light @ np.linalg.inv(look.matrix).T.astype(np.float32)
    return (light * (look.exposure / look.balance)).clip(0, 1).astype(np.float32)


def from_sensor(light: Pixels, look: Look) -> Pixels:
    """The inverse of `to_sensor` for colors that were white-balanced already.

    Args:
        light: (H, W, 3) linear colors of the sensor, divided by the exposure and times
            `Look.balance`.
        look: Look of the camera.

    Returns:
        (H, W, 3) RGB as stored, range [0, 1].
    """
    values = (light @ look.matrix.T.astype(np.float32)).clip(_LEAST, 1) ** (1 / look.gamma)
    if look.has_curve:
        values = values * values * (3 - 2 * values)
    return values.astype(np.float32)
