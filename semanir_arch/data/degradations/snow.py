"""Falling snow: soft bright flakes in layers from far to near, over a veil of fine snow.

The model of Y.-F. Liu et al., DesnowNet, IEEE Transactions on Image Processing 27(6), 2018: each
pixel is a mixture of the scene and the color of snow, by the opacity of the flakes.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semanir_arch.data.degradations.damage import DrawnDamage, examples, limits_of
from semanir_arch.data.degradations.declaration import Declared, Number
from semanir_arch.data.degradations.filtering import check_limits, line_kernel, scatter
from semanir_arch.data.randomness import uniform

SETTINGS: Declared = {
    "amount": Number([10, 80], 0, 1000, "flakes per 10,000 pixels"),
    "size": Number([2, 7], 0.5, 16, "radius of the nearest flakes in pixels"),
    "wind": Number([-40, 40], -60, 60, "direction to the vertical in degrees"),
    "veil": Number([0, 0.3], 0, 1, "opacity of fine snow"),
}
"""Parameters of `snow`, in its units."""

_LIMITS = limits_of(SETTINGS)

# radius, number and opacity of far, middle and near flakes, relative
_LAYERS = ((0.25, 1.0, 0.7), (0.5, 0.4, 0.85), (1.0, 0.1, 0.95))
_SNOW = 0.97


def snow(
    image: Tensor,
    amount: float,
    size: float,
    wind: float,
    veil: float,
    generator: torch.Generator,
) -> Tensor:
    """Let it snow.

    Args:
        image: (C, H, W) float32, range [0, 1].
        amount: Flakes per 10,000 pixels in the far layer, 0 or more; the near one has a tenth.
        size: Radius of the nearest flakes in pixels, 0.5 to 16.
        wind: Direction of the fall to the vertical in degrees, -60 to 60.
        veil: Opacity of the snow too fine to be seen as flakes, 0 to 1.
        generator: Source of randomness.

    Returns:
        (C, H, W) float32, range [0, 1].

    Raises:
        ValueError: A parameter lies outside its limits in `SETTINGS`.
    """
    check_limits(_LIMITS, amount=amount, size=size, wind=wind, veil=veil)
    clear = torch.full((1, *image.shape[-2:]), 1.0 - veil)
    for reach, share, opacity in _LAYERS:
        flake = _flake(reach * size, wind + uniform(-15, 15, generator))
        layer = scatter(image.shape[-2:], share * amount * 1e-4, flake, generator)
        clear = clear * (1 - opacity * layer)
    return image * clear + _SNOW * (1 - clear)


def _flake(radius: float, angle: float) -> NDArray[np.float32]:
    """A soft blob of height 1, smeared along its fall by its own radius."""
    trace = line_kernel(1.5 * radius, angle)
    margin = int(np.ceil(2 * radius)) + 1
    flake = cv2.GaussianBlur(np.pad(trace, margin), (0, 0), max(0.5, radius / 2))
    return flake / flake.max()


DAMAGE = DrawnDamage(
    name="snow",
    help="snow",
    settings=SETTINGS,
    apply=lambda image, values, generator: snow(image, generator=generator, **values),
    examples=examples("amount", 10, 40, 80),
)
