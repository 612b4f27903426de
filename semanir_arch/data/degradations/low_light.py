"""A photograph with too little light: dark, with the noise of few photons, and clipped.

Signal-dependent noise as in A. Foi et al., Practical Poissonian-Gaussian Noise Modeling and Fitting
for Single-Image Raw-Data, IEEE Transactions on Image Processing 17(10), 2008: counted electrons
follow a Poisson distribution, reading them out adds Gaussian noise.
"""

from __future__ import annotations

import torch
from torch import Tensor

from semanir_arch.data.degradations.damage import DrawnDamage, examples, limits_of
from semanir_arch.data.degradations.declaration import Declared, Number
from semanir_arch.data.degradations.filtering import check_limits, from_light, to_light

SETTINGS: Declared = {
    "exposure": Number([0.05, 0.3], 0.001, 1, "part of the light that is left"),
    "electrons": Number([500, 5000], 1, 1e6, "electrons counted at white"),
    "read_noise": Number([1, 5], 0, 1000, "standard deviation in electrons"),
}
"""Parameters of `low_light`, in its units."""

_LIMITS = limits_of(SETTINGS)


def low_light(
    image: Tensor,
    exposure: float,
    electrons: float,
    read_noise: float,
    generator: torch.Generator,
) -> Tensor:
    """Take the picture with less light.

    Args:
        image: (C, H, W) float32, range [0, 1], well exposed.
        exposure: Part of the light that is left, above 0 to 1.
        electrons: Electrons that the sensor counts at white, above 0; fewer mean more noise.
        read_noise: Standard deviation in electrons, 0 or more.
        generator: Source of randomness.

    Returns:
        (C, H, W) float32 in [0, 1], dark (not amplified).

    Raises:
        ValueError: A parameter lies outside its limits in `SETTINGS`.
    """
    check_limits(_LIMITS, exposure=exposure, electrons=electrons, read_noise=read_noise)
    counted = torch.poisson(to_light(image) * (exposure * electrons), generator=generator)
    counted += read_noise * torch.randn(image.shape, generator=generator, dtype=image.dtype)
    return from_light(counted / electrons)


DAMAGE = DrawnDamage(
    name="low_light",
    help="a dark, noisy photograph",
    settings=SETTINGS,
    apply=lambda image, values, generator: low_light(image, generator=generator, **values),
    examples=examples("exposure", 0.3, 0.15, 0.05),
)
