"""What a sensor adds to the light that falls on it.

Shot and read noise as in A. Foi et al., Practical Poissonian-Gaussian Noise Modeling and Fitting
for Single-Image Raw-Data, IEEE Transactions on Image Processing 17(10), 2008. Rows and fixed
patterns as in K. Wei et al., A Physics-based Noise Formation Model for Extreme Low-light Raw
Denoising, CVPR 2020 (arXiv 2003.12751).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["SensorNoise", "read_noise_of", "sensor_noise"]

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class SensorNoise:
    """Noise of a sensor; all relative to its white level.

    Args:
        gain: Variance of shot noise at white, or the inverse number of electrons there.
        read: Standard deviation of read noise.
        row: Standard deviation of an offset that each row has.
        column: Standard deviation of an offset that each column has.
        spread: Standard deviation of the pixels' sensitivity, around 1.
        is_clipped: Whether values below black are lost.
    """

    gain: float
    read: float
    row: float = 0.0
    column: float = 0.0
    spread: float = 0.0
    is_clipped: bool = False


def read_noise_of(gain: float, deviation: float = 0.0) -> float:
    """Read noise of a camera, from its shot noise.

    The line that T. Brooks et al. (arXiv 1811.11127, Section 3.1) fitted to the phones of the
    Darmstadt noise data set: the logarithm of the read noise's variance is 2.18 log(gain) + 1.2,
    with a standard deviation of 0.26 among cameras.

    Args:
        gain: Variance of shot noise at white, above 0; see `SensorNoise`.
        deviation: Deviation of this camera from the line.

    Returns:
        Standard deviation.
    """
    return math.exp((2.18 * math.log(gain) + 1.2 + deviation) / 2)


def sensor_noise(plane: Plane, noise: SensorNoise, rng: np.random.Generator) -> Plane:
    """A sensor's record of a plane of light.

    Args:
        plane: (H, W) linear, range [0, 1].
        noise: Noise of the sensor.
        rng: Source of randomness.

    Returns:
        (H, W) float32, at most 1; negative values are kept unless `noise.is_clipped`.
    """
    light = plane
    if noise.spread:
        light = light * (1 + noise.spread * rng.standard_normal(plane.shape, np.float32)).clip(0)
    counted = rng.poisson(light / noise.gain) * noise.gain if noise.gain else light
    recorded = counted + noise.read * rng.standard_normal(plane.shape, np.float32)
    if noise.row:
        recorded = recorded + noise.row * rng.standard_normal((plane.shape[0], 1))
    if noise.column:
        recorded = recorded + noise.column * rng.standard_normal((1, plane.shape[1]))
    lowest = 0.0 if noise.is_clipped else -np.inf
    return recorded.clip(lowest, 1).astype(np.float32)
