"""Crops and orientations of training images, as arrays (H, W, C) of any type.

Drawing and applying are separate, so that several images of one scene can get the same treatment.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from semanir_arch.data.randomness import integer
from semanir_arch.utils.errors import InputError


class Orientation(NamedTuple):
    """One of the eight flips and quarter turns of a square; applied in the order of the fields."""

    flip_horizontally: bool = False
    flip_vertically: bool = False
    transpose: bool = False


def pad_to_size(
    image: NDArray[Any], size: int, *, mode: Literal["reflect", "symmetric"] = "reflect"
) -> NDArray[Any]:
    """Extend an image that is smaller than `size` at the bottom and the right, by reflection.

    Args:
        image: (H, W, C).
        size: Smallest height and width of the result, in pixels.
        mode: `reflect` does not repeat the edge itself, except where the image is one pixel wide;
            `symmetric` does, which keeps images of different resolution aligned.
    """
    missing = [max(0, size - length) for length in image.shape[:2]]
    if not any(missing):
        return image
    return np.pad(image, [(0, missing[0]), (0, missing[1]), (0, 0)], mode=mode)


def draw_position(
    height: int, width: int, size: int, generator: torch.Generator
) -> tuple[int, int]:
    """Top and left of a square of `size` pixels, every place equally likely.

    Raises:
        ValueError: The square is larger than the image.
    """
    if size > min(height, width):
        raise InputError(f"a crop of {size} does not fit into an image of {height} x {width}")
    return integer(height - size + 1, generator), integer(width - size + 1, generator)


def crop(image: NDArray[Any], top: int, left: int, size: int) -> NDArray[Any]:
    """A square of `size` pixels, as a view."""
    return image[top : top + size, left : left + size]


def draw_orientation(generator: torch.Generator, flip: bool, rotate: bool) -> Orientation:
    """An orientation, every one that is allowed equally likely.

    Args:
        generator: Source of randomness.
        flip: Permission for horizontal flips.
        rotate: Permission for vertical flips and transposition; with `flip`, all eight
            orientations.
    """
    bits = integer(8, generator)
    return Orientation(
        flip and bool(bits & 1), rotate and bool(bits & 2), rotate and bool(bits & 4)
    )


def orient(image: NDArray[Any], orientation: Orientation) -> NDArray[Any]:
    """Apply an orientation, as a view."""
    if orientation.flip_horizontally:
        image = image[:, ::-1]
    if orientation.flip_vertically:
        image = image[::-1]
    return image.swapaxes(0, 1) if orientation.transpose else image
