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

from semanir_arch.data.degradations.filtering import Limits, check_limits, line_kernel, scatter
from semanir_arch.data.randomness import uniform

LIMITS: Limits = {"amount": (0, 1000), "length": (1, 64), "angle": (-60, 60), "brightness": (0, 1)}
"""Allowed values of the parameters of `rain_streaks`, in its units."""

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
        ValueError: A parameter lies outside `LIMITS`.
    """
    check_limits(LIMITS, amount=amount, length=length, angle=angle, brightness=brightness)
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
