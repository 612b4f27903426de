"""Rain streaks: bright motion traces of drops, in layers from far to near.

The additive model of deraining papers (Y. Li et al., Rain Streak Removal Using Layer Priors, CVPR
2016), with the sum replaced by the screen blend, which never exceeds white:
image + streaks * (1 - image).
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
    "amount": Number([10, 80], 0, 1000, "streaks per 10,000 pixels"),
    "length": Number([10, 40], 1, 64, "length of the nearest streaks in pixels"),
    "angle": Number([-30, 30], -60, 60, "to the vertical in degrees"),
    "brightness": Number([0.4, 0.9], 0, 1, "opacity of the brightest streaks"),
}
"""Parameters of `rain_streaks`, in its units."""

_LIMITS = limits_of(SETTINGS)

# length, width in pixels and number of the streaks of far, middle and near drops, relative
_LAYERS = ((0.4, 0.5, 1.0), (0.7, 0.7, 0.5), (1.0, 1.0, 0.25))
_DRIFT = 4.0


def rain_streaks(
    image: Tensor,
    amount: float,
    length: float,
    angle: float,
    brightness: float,
    generator: torch.Generator,
) -> Tensor:
    """Let it rain.

    Args:
        image: (C, H, W) float32, range [0, 1].
        amount: Streaks per 10,000 pixels in the far layer, 0 or more; the near one has a quarter.
        length: Length of the nearest streaks in pixels, 1 to 64.
        angle: Angle between the rain and the vertical in degrees, -60 to 60; every layer drifts a
            little.
        brightness: Opacity of the brightest streaks, 0 to 1.
        generator: Source of randomness.

    Returns:
        (C, H, W) float32, range [0, 1].

    Raises:
        ValueError: A parameter lies outside its limits in `SETTINGS`.
    """
    check_limits(_LIMITS, amount=amount, length=length, angle=angle, brightness=brightness)
    clear = torch.ones(1, *image.shape[-2:])
    for reach, thickness, share in _LAYERS:
        tilt = angle + uniform(-_DRIFT, _DRIFT, generator)
        streak = _streak(reach * length, thickness, tilt)
        layer = scatter(image.shape[-2:], share * amount * 1e-4, streak, generator)
        clear = clear * (1 - brightness * (0.3 + 0.7 * reach) * layer)
    return 1 - (1 - image) * clear


def _streak(length: float, thickness: float, angle: float) -> NDArray[np.float32]:
    """A soft line of height 1."""
    streak = cv2.GaussianBlur(np.pad(line_kernel(length, angle), 2), (0, 0), thickness)
    return streak / streak.max()


DAMAGE = DrawnDamage(
    name="rain",
    help="rain streaks",
    settings=SETTINGS,
    apply=lambda image, values, generator: rain_streaks(image, generator=generator, **values),
    examples=examples("amount", 10, 40, 80),
)
