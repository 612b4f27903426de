"""How noisy a picture is: from the parts of it that show the least.

A picture is looked at in small blocks. In each, the second differences along both axes (Immerkaer,
Fast Noise Variance Estimation, Computer Vision and Image Understanding 64(2), 1996) cancel whatever
is smooth, and leave noise and texture. The blocks with the least are those without texture, so that
what they hold is noise. The same in a picture of half the size tells whether neighboring pixels
have noise in common: means of 2 x 2 pixels halve independent noise, and leave shared noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Noise", "measure_noise"]

_KERNEL = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
"""Kernel of unit gain for independent noise."""

_BLOCK = 16
_QUIET = 0.15
"""Share of the blocks that are taken to show no texture."""

_DARK, _BRIGHT = 10.0, 245.0
"""Beyond these means, noise is cut off, on the 0-255 scale."""

# The mean of the quietest 15 % of blocks of pure noise is a little below its deviation: measured.
_BIAS = 0.935

_TO_YCC = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32
)


@dataclass(frozen=True)
class Noise:
    """Noise of a picture, as standard deviations on the 0-255 scale.

    Args:
        luma: Noise of brightness, between neighboring pixels.
        chroma: Noise of color, the mean over Cb and Cr; 0 for gray.
        coarse: Noise of brightness in the picture of half the size, times two: equal to `luma` for
            independent noise, larger if neighbors share theirs.
    """

    luma: float
    chroma: float
    coarse: float

    @property
    def correlation(self) -> float:
        """1 for independent noise, 2 and more for noise that a camera's processing has spread."""
        return self.coarse / self.luma if self.luma > 0 else 0.0


def measure_noise(pixels: NDArray[Any]) -> Noise:
    """Measure a picture.

    Args:
        pixels: (H, W, 1) or (H, W, 3), float32 in 0-255, RGB.
    """
    if pixels.shape[2] == 3:
        luma, *chroma = np.moveaxis(pixels @ _TO_YCC.T, 2, 0)
    else:
        luma, chroma = pixels[..., 0], []
    fine = _deviation(luma, luma)
    size = [max(1, length // 2) for length in luma.shape]
    half = cv2.resize(luma, (size[1], size[0]), interpolation=cv2.INTER_AREA)
    coarse = 2 * _deviation(half, half)
    colors = [_deviation(plane, luma) for plane in chroma]
    return Noise(fine, float(np.mean(colors)) if colors else 0.0, coarse)


def _deviation(plane: NDArray[np.float32], luma: NDArray[np.float32]) -> float:
    """Deviation of the quietest blocks of a plane (H, W) that are neither black nor white."""
    detail = cv2.filter2D(np.ascontiguousarray(plane), -1, _KERNEL, borderType=cv2.BORDER_REFLECT)
    rows, columns = (length // _BLOCK for length in plane.shape)
    if rows * columns == 0:
        return float(np.sqrt(np.square(detail).mean()))
    size = (rows * _BLOCK, columns * _BLOCK)
    energy = _blocks(np.square(detail[: size[0], : size[1]]))
    mean = _blocks(luma[: size[0], : size[1]])
    usable = (mean > _DARK) & (mean < _BRIGHT)
    values = np.sort(energy[usable] if usable.sum() >= 4 else energy.ravel())
    quiet = values[: max(1, round(len(values) * _QUIET))]
    return float(np.sqrt(quiet.mean())) / _BIAS


def _blocks(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means of the blocks."""
    rows, columns = (length // _BLOCK for length in plane.shape)
    return plane.reshape(rows, _BLOCK, columns, _BLOCK).mean(axis=(1, 3))
