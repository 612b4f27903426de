"""The blur of a lens out of focus: a disc."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from semanir_arch.data.degradations.filtering import Limits, check_limits

LIMITS: Limits = {"radius": (0, 32)}
"""Allowed values of the parameters of `disc_kernel`, in its units."""

_SAMPLES = 8


def disc_kernel(radius: float) -> NDArray[np.float32]:
    """The image of a point out of focus under an ideal round aperture.

    Args:
        radius: Radius of the circle of confusion in pixels, 0 to 32; 0 does not blur.

    Returns:
        Square with an odd side, sum 1; pixels on the edge count with the part that the disc covers.

    Raises:
        ValueError: A parameter lies outside `LIMITS`.
    """
    check_limits(LIMITS, radius=radius)
    reach = int(np.ceil(radius))
    side = 2 * reach + 1
    # the centres of the samples in a grid of _SAMPLES x _SAMPLES within each pixel
    steps = (np.arange(side * _SAMPLES) + 0.5) / _SAMPLES - side / 2
    inside = steps[:, None] ** 2 + steps**2 <= max(radius, 0.5) ** 2
    kernel = inside.reshape(side, _SAMPLES, side, _SAMPLES).mean(axis=(1, 3))
    return (kernel / kernel.sum()).astype(np.float32)
