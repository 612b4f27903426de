"""Drops of water on a window: each shows the scene behind it upside down, small and blurred.

The model of R. Qian et al., Attentive Generative Adversarial Network for Raindrop Removal, CVPR
2018: (1 - mask) * background + drops, where a drop is a lens that gathers light of a wide view.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semanir_arch.data.degradations.damage import DrawnDamage, examples, limits_of
from semanir_arch.data.degradations.declaration import Declared, Number
from semanir_arch.data.degradations.filtering import check_limits, from_array, to_array

SETTINGS: Declared = {
    "amount": Number([1, 5], 0, 100, "drops per 10,000 pixels"),
    "size": Number([8, 24], 1, 64, "radius of the largest drops in pixels"),
}
"""Parameters of `raindrops`, in its units."""

_LIMITS = limits_of(SETTINGS)

# a drop shows a part of the scene this many times its own size
_VIEW = 5.0
_BLUR = 1.5
# part of the radius over which a drop, out of focus, fades into the scene
_EDGE = 0.25


def raindrops(image: Tensor, amount: float, size: float, generator: torch.Generator) -> Tensor:
    """Put drops of water between scene and camera.

    Args:
        image: (C, H, W) float32, range [0, 1].
        amount: Drops per 10,000 pixels, 0 or more, on average.
        size: Radius of the largest drops in pixels, 1 to 64; the smallest have a quarter.
        generator: Source of randomness.

    Returns:
        (C, H, W) float32, range [0, 1].

    Raises:
        ValueError: A parameter lies outside its limits in `SETTINGS`.
    """
    check_limits(_LIMITS, amount=amount, size=size)
    height, width = image.shape[-2:]
    # centres beyond the border too, whose drops reach into the image
    area = (height + 2 * size) * (width + 2 * size)
    mean = torch.tensor(amount * 1e-4 * area, dtype=torch.float64)
    count = int(torch.poisson(mean, generator=generator))
    draws = torch.rand(count, 6, dtype=torch.float64, generator=generator).numpy()
    rows, columns = (grid.astype(np.float32) for grid in np.mgrid[:height, :width])
    opacity, light = np.zeros((height, width), np.float32), np.ones((height, width), np.float32)
    for draw in draws:
        _add_drop(draw, size, (rows, columns, opacity, light))
    scene = to_array(image)
    view = cv2.remap(
        cv2.GaussianBlur(scene, (0, 0), _BLUR),
        columns,
        rows,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    drops = (from_array(view, image) * torch.from_numpy(light)).clamp(0, 1)
    return torch.lerp(image, drops, torch.from_numpy(opacity))


def _add_drop(
    draw: NDArray[np.float64], size: float, fields: tuple[NDArray[np.float32], ...]
) -> None:
    """Write one drop into the maps of all.

    Args:
        draw: Six numbers in [0, 1): place, size and form.
        size: Largest radius.
        fields: (H, W) each: where a pixel looks (row, column), the drop's opacity and brightness.
    """
    height, width = fields[0].shape
    radius = size * (0.25 + 0.75 * draw[2] ** 2)
    row, column = (draw[0] * (height + 2 * size) - size, draw[1] * (width + 2 * size) - size)
    reach = 1.5 * radius
    window = tuple(
        slice(max(0, int(center - reach)), min(length, max(0, int(center + reach) + 2)))
        for center, length in ((row, height), (column, width))
    )
    look_row, look_column, opacity, light = (field[window] for field in fields)
    if not opacity.size:
        return
    down, right = np.mgrid[window].astype(np.float32)
    down, right = down - row, right - column
    # stretched downwards, with two bulges
    distance = np.hypot(down / (1.1 + 0.3 * draw[3]), right) / radius
    bulges = np.arctan2(down, right) + 2 * np.pi * draw[4]
    distance /= 1 + 0.08 * np.cos(2 * bulges) + 0.12 * draw[5] * np.cos(3 * bulges)
    inside = ((1 - distance) / _EDGE).clip(0, 1)
    covers = inside > opacity
    look_row[covers] = (row - _VIEW * down)[covers]
    look_column[covers] = (column - _VIEW * right)[covers]
    # thin at its edge, where a drop bends the light away from the camera
    light[covers] = (0.65 + 0.45 * np.sqrt((1 - distance**2).clip(0, 1)))[covers]
    opacity[covers] = (inside * inside * (3 - 2 * inside))[covers]


DAMAGE = DrawnDamage(
    name="raindrops",
    help="drops on the lens",
    settings=SETTINGS,
    apply=lambda image, values, generator: raindrops(image, generator=generator, **values),
    examples=examples("amount", 2, 5, 10),
)
