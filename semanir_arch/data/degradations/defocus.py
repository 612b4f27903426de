"""The blur of a lens out of focus: a disc."""

from __future__ import annotations

from math import ceil

import numpy as np
from numpy.typing import NDArray

from semanir_arch.data.degradations.blur import blur
from semanir_arch.data.degradations.damage import DrawnDamage, examples, limits_of
from semanir_arch.data.degradations.declaration import Declared, Number
from semanir_arch.data.degradations.filtering import check_limits

SETTINGS: Declared = {
    "radius": Number([1, 8], 0, 32, "radius of the disc in pixels"),
}
"""Parameters of `disc_kernel`, in its units."""

_LIMITS = limits_of(SETTINGS)

_SAMPLES = 8


def disc_kernel(radius: float) -> NDArray[np.float32]:
    """The image of a point out of focus under an ideal round aperture.

    Args:
        radius: Radius of the circle of confusion in pixels, 0 to 32; 0 does not blur.

    Returns:
        Square with an odd side, sum 1; pixels on the edge count with the part that the disc covers.

    Raises:
        ValueError: A parameter lies outside its limits in `SETTINGS`.
    """
    check_limits(_LIMITS, radius=radius)
    reach = int(np.ceil(radius))
    side = 2 * reach + 1
    # the centres of the samples in a grid of _SAMPLES x _SAMPLES within each pixel
    steps = (np.arange(side * _SAMPLES) + 0.5) / _SAMPLES - side / 2
    inside = steps[:, None] ** 2 + steps**2 <= max(radius, 0.5) ** 2
    kernel = inside.reshape(side, _SAMPLES, side, _SAMPLES).mean(axis=(1, 3))
    return (kernel / kernel.sum()).astype(np.float32)


DAMAGE = DrawnDamage(
    name="defocus",
    help="blur of a lens out of focus",
    settings=SETTINGS,
    apply=lambda image, values, generator: blur(image, disc_kernel(**values)),  # noqa: ARG005
    # what the largest kernel reaches over
    reach=lambda settings: ceil(max(settings["radius"].values)),
    examples=examples("radius", 2, 4, 8),
)
