"""A training patch: where it lies in its image, and how it is turned.

Degradations differ in what they need. Noise needs the patch alone, blur its surroundings as well,
JPEG compression the image and the place in it. A `TrainingPatch` gives each of them, at the cost of
what it reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semanir_arch.data.datasets.transforms import (
    Orientation,
    draw_orientation,
    draw_position,
    orient,
    pad_to_size,
)
from semanir_arch.data.files.image_io import Image, convert_channels, to_float


@dataclass(frozen=True)
class TrainingPatch:
    """A square of an image.

    Args:
        image: (H, W, C) as stored, uint8 or uint16, at least as large as the patch.
        channels: Number of channels, 1 or 3; the image is made gray or RGB as by
            `image_io.read_image`.
        top: First row.
        left: First column.
        size: Side in pixels.
        orientation: Flips and turns of the patch.
    """

    image: NDArray[Any]
    channels: int
    top: int
    left: int
    size: int
    orientation: Orientation

    def pixels(self, margin: int = 0) -> NDArray[Any]:
        """The patch as stored, turned.

        Args:
            margin: Pixels of the surroundings on every side; beyond the image they are mirrored
                without repeating its edge.

        Returns:
            (S, S, channels) with S = size + 2 * margin.
        """
        starts, stops = self._window(margin)
        inside = self.window(
            max(0, starts[0]),
            max(0, starts[1]),
            min(stops[0], self.image.shape[0]),
            min(stops[1], self.image.shape[1]),
        )
        missing = [
            (max(0, -start), max(0, stop - length))
            for start, stop, length in zip(starts, stops, self.image.shape, strict=False)
        ]
        if any(map(any, missing)):
            inside = np.pad(inside, [*missing, (0, 0)], mode="reflect")
        return orient(inside, self.orientation)

    def window(self, top: int, left: int, bottom: int, right: int) -> NDArray[Any]:
        """A rectangle of the image, gray or RGB, not turned."""
        return convert_channels(Image(self.image[top:bottom, left:right]), self.channels)

    def turned(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Something else of the same place, turned as the patch is."""
        return orient(pixels, self.orientation)

    def _window(self, margin: int) -> tuple[tuple[int, int], tuple[int, int]]:
        starts = self.top - margin, self.left - margin
        side = self.size + 2 * margin
        return starts, (starts[0] + side, starts[1] + side)


def draw_patch(
    image: NDArray[Any],
    channels: int,
    size: int,
    generator: torch.Generator,
    *,
    flip: bool,
    rotate: bool,
    step: int = 1,
) -> TrainingPatch:
    """Draw place and orientation of a patch; images smaller than it are extended by reflection.

    Args:
        image: (H, W, C) as stored.
        channels: Number of channels: 1 gray, 3 RGB.
        size: Side in pixels, a multiple of `step`.
        generator: Source of randomness.
        flip: Permission for horizontal flips.
        rotate: Permission for vertical flips and transposition.
        step: Patches begin at multiples of it; what it leaves over of the image is cut off.
    """
    image = pad_to_size(image, size)
    height, width = (length // step for length in image.shape[:2])
    top, left = draw_position(height, width, size // step, generator)
    orientation = draw_orientation(generator, flip, rotate)
    image = image[: height * step, : width * step]
    return TrainingPatch(image, channels, top * step, left * step, size, orientation)


def to_tensor(pixels: NDArray[Any]) -> Tensor:
    """Stored pixels (H, W, C) as (C, H, W) float32 in [0, 1]."""
    return torch.from_numpy(to_float(np.ascontiguousarray(pixels.transpose(2, 0, 1))))


def without_margin(image: Tensor, margin: int) -> Tensor:
    """An image (C, H, W) without `margin` pixels on every side."""
    height, width = image.shape[-2:]
    return image[:, margin : height - margin, margin : width - margin].contiguous()
