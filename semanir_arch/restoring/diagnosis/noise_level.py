"""How noisy a picture is: from the parts of it that show the least.

A picture is looked at in small blocks. In each, the second differences along both axes (Immerkaer,
Fast Noise Variance Estimation, Computer Vision and Image Understanding 64(2), 1996) cancel whatever
is smooth, and leave noise and texture. The blocks with the least are those without texture, so that
what they hold is noise.

The same is measured in pictures of half and of a quarter of the size, and for brightness and color
apart. Means of 2 x 2 pixels halve independent noise; noise that a camera's or a file's processing
has spread over neighbors is seen only in the smaller pictures, and best in their colors, where
photographs have little texture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["QUANTILES", "SCALES", "Noise", "measure_noise"]

SCALES = (1, 2, 4)
"""How many times smaller the pictures are in which noise is measured."""

QUANTILES = (0.05, 0.30)
"""Shares of the blocks that show less; the first are flat, the second have a little texture."""

_KERNEL = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
"""Kernel of unit gain for independent noise."""

_BLOCK = 16
_QUIET = 0.15
"""Share of the blocks that are taken to show no texture."""

_ROUNDING = 0.05
"""Levels that rounding to 8 bits leaves in the flattest blocks."""

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
            independent noise, larger where neighbors share theirs.
        luma_bands: Noise of brightness at all `SCALES`, times the scale, for each the `QUANTILES`
            of all blocks.
        chroma_bands: The same of color; empty for gray.
    """

    luma: float
    chroma: float
    coarse: float
    luma_bands: tuple[float, ...]
    chroma_bands: tuple[float, ...] = ()

    @property
    def correlation(self) -> float:
        """1 for independent noise, 2 and more for noise that a camera's processing has spread."""
        return self.coarse / self.luma if self.luma > 0 else 0.0

    @property
    def unevenness(self) -> float:
        """How much more a little texture shows than none, in brightness: noise is everywhere."""
        flat, textured = self.luma_bands[0:4:2], self.luma_bands[1:4:2]
        return max((b + _ROUNDING) / (a + _ROUNDING) for a, b in zip(flat, textured, strict=True))

    @property
    def color(self) -> float:
        """Color in the smallest picture for each level of brightness in the largest.

        About 0.8 for independent noise of every channel, and next to nothing for noise that all
        channels share. A file that stores colors at half the size leaves more than that.
        """
        if not self.chroma_bands or self.luma <= 0:
            return 0.0
        return self.chroma_bands[-2] / self.luma


def measure_noise(pixels: NDArray[Any]) -> Noise:
    """Measure a picture.

    Args:
        pixels: (H, W, 1) or (H, W, 3), float32 in 0-255, RGB.
    """
    is_gray = pixels.shape[2] == 1
    planes = pixels if is_gray else pixels @ _TO_YCC.T
    luma, *chroma = np.moveaxis(planes, 2, 0)
    usable = _usable(luma)
    energies = [[_energy(plane, scale, usable) for scale in SCALES] for plane in (luma, *chroma)]
    colors = [np.add(*both) / 2 for both in zip(*energies[1:], strict=True)]
    return Noise(
        luma=_quiet(energies[0][0]),
        chroma=_quiet(colors[0]) if colors else 0.0,
        coarse=_quiet(energies[0][1]),
        luma_bands=_bands(energies[0]),
        chroma_bands=_bands(colors),
    )


def _usable(luma: NDArray[np.float32]) -> NDArray[np.bool_] | None:
    """Which blocks are neither black nor white; None where too few are."""
    means = _blocks(luma, _BLOCK)
    usable = (means > _DARK) & (means < _BRIGHT)
    return usable if usable.sum() >= 4 else None


def _energy(
    plane: NDArray[np.float32], scale: int, usable: NDArray[np.bool_] | None
) -> NDArray[np.float64]:
    """Mean squares of the second differences of the usable blocks, sorted.

    Scaled so that independent noise gives its variance at every scale.
    """
    height, width = (max(1, length // scale) for length in plane.shape)
    part = np.ascontiguousarray(plane[: height * scale, : width * scale])
    small = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
    detail = cv2.filter2D(small, -1, _KERNEL, borderType=cv2.BORDER_REFLECT)
    energy = scale**2 * _blocks(np.square(detail), _BLOCK // scale)
    # the last rows may hold no whole block of the smaller picture
    fits = usable is not None and usable.shape == energy.shape
    return np.asarray(np.sort(energy[usable] if fits else energy.ravel()), np.float64)


def _quiet(energies: NDArray[np.float64]) -> float:
    """Deviation in the quietest blocks."""
    quiet = energies[: max(1, round(len(energies) * _QUIET))]
    return float(np.sqrt(quiet.mean())) / _BIAS


def _bands(energies: list[NDArray[np.float64]]) -> tuple[float, ...]:
    return tuple(float(np.sqrt(np.quantile(one, q))) for one in energies for q in QUANTILES)


def _blocks(plane: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Means of the blocks; of the whole plane where it is smaller than one."""
    rows, columns = (length // side for length in plane.shape)
    if rows * columns == 0:
        return np.full((1, 1), plane.mean(), np.float32)
    whole = plane[: rows * side, : columns * side]
    return whole.reshape(rows, side, columns, side).mean(axis=(1, 3))
