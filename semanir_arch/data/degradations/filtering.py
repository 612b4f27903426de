"""What several degradations share: filters, fields of grains, and light."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semanir_arch.utils.errors import InputError

GAMMA = 2.2
"""Exponent from stored values to light, the usual approximation of sRGB's curve."""


Limits = Mapping[str, tuple[float, float]]
"""Smallest and largest value of each parameter of a degradation."""


def check_limits(limits: Limits, **values: float) -> None:
    """Refuse parameters outside their limits.

    Raises:
        ValueError: One is; it is named.
    """
    for name, value in values.items():
        lowest, highest = limits[name]
        if not lowest <= value <= highest:
            raise InputError(f"{name} must lie in [{lowest:g}, {highest:g}], received {value}")


def to_light(image: Tensor) -> Tensor:
    """Stored values as amounts of light, both in [0, 1]; values outside are clipped."""
    return image.clamp(0, 1).pow(GAMMA)


def from_light(light: Tensor) -> Tensor:
    """The inverse of `to_light`."""
    return light.clamp(0, 1).pow(1 / GAMMA)


def filter_image(image: Tensor, kernel: NDArray[np.float32]) -> Tensor:
    """Correlate every channel with a kernel; beyond the border the image is mirrored.

    Args:
        image: (C, H, W) float32.
        kernel: Odd height and width.

    Returns:
        Shape of `image`.
    """
    filtered = cv2.filter2D(to_array(image), -1, kernel, borderType=cv2.BORDER_REFLECT)
    return from_array(filtered, image)


def scatter(
    size: torch.Size, chance: float, grain: NDArray[np.float32], generator: torch.Generator
) -> Tensor:
    """Place copies of a grain at random.

    Grains also fall beyond the border and reach into the field, which so is as dense there as
    elsewhere.

    Args:
        size: Height and width of the field.
        chance: Grains per pixel, at most 1.
        grain: Odd height and width.
        generator: Source of randomness.

    Returns:
        (1, H, W) float32: each grain scaled by a factor drawn from [0.3, 1), their sum cut at 1.
    """
    reach = max(grain.shape) // 2
    height, width = (length + 2 * reach for length in size)
    drawn = torch.rand(height, width, generator=generator)
    # the value that made a grain also decides its factor, so that one draw is enough
    seeds = torch.where(drawn < chance, 0.3 + 0.7 / max(chance, 1e-9) * drawn, 0.0)
    field = cv2.filter2D(seeds.numpy(), -1, grain)[reach : height - reach, reach : width - reach]
    return torch.from_numpy(field.clip(0, 1))[None]


def line_kernel(length: float, angle: float) -> NDArray[np.float32]:
    """A straight line of weight 1 through the centre, with soft edges.

    Args:
        length: Length in pixels, 0 or more.
        angle: Angle between the line and the vertical in degrees; positive leans to the right at
            the bottom.

    Returns:
        Square with an odd side.
    """
    steps = np.linspace(-0.5, 0.5, 4 * int(length) + 5) * length
    radians = np.deg2rad(angle)
    return splat(steps * np.cos(radians), steps * np.sin(radians))


def splat(rows: NDArray[Any], columns: NDArray[Any]) -> NDArray[np.float32]:
    """Weight spread evenly over points, each shared by its four neighboring pixels.

    Args:
        rows: Offsets from the centre in pixels.
        columns: The same number.

    Returns:
        Square of an odd side that just holds all points; sums to 1.
    """
    radius = int(np.ceil(max(np.abs(rows).max(), np.abs(columns).max())))
    side = 2 * radius + 3
    kernel = np.zeros((side, side))
    low_rows, low_columns = np.floor(rows).astype(int), np.floor(columns).astype(int)
    for down in (0, 1):
        for right in (0, 1):
            weight = (1 - np.abs(rows - low_rows - down)) * (
                1 - np.abs(columns - low_columns - right)
            )
            place = low_rows + down + radius + 1, low_columns + right + radius + 1
            np.add.at(kernel, place, weight)
    return (kernel / kernel.sum()).astype(np.float32)


def to_array(image: Tensor) -> NDArray[Any]:
    """(C, H, W) as OpenCV has it: (H, W) for one channel, else (H, W, C)."""
    array = image.numpy()
    return array[0] if len(array) == 1 else np.ascontiguousarray(array.transpose(1, 2, 0))


def from_array(array: NDArray[Any], like: Tensor) -> Tensor:
    """The inverse of `to_array`, in the type of `like`."""
    chw = array[None] if array.ndim == 2 else np.ascontiguousarray(array.transpose(2, 0, 1))
    return torch.from_numpy(chw).to(like.dtype)
