"""Scratches, hairs and dust on a scanned picture, and where they are."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["draw_dust", "draw_scratches"]

Floats = NDArray[np.float32]

# OpenCV's drawing takes places in sixteenths of a pixel
_SHIFT = 4
_POINTS = 24
# part of what lies on the picture that is no speck but a hair
_HAIRS = 0.15
_SPECK = (0.6, 2.5)


def draw_scratches(image: Floats, count: float, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Scratch a picture: long, thin lines, nearly straight, mostly upright, white or dark.

    Args:
        image: (H, W, C) float32 in [0, 1].
        count: Expected number of scratches.
        rng: Source of randomness.

    Returns:
        The scratched picture, and (H, W, 1) float32 in [0, 1]: how much of it a scratch covers.
    """
    height, width = image.shape[:2]
    covered = np.zeros((height, width, 1), np.float32)
    for _ in range(int(rng.poisson(count))):
        length = height * rng.uniform(0.2, 1.3)
        angle = rng.normal(0, 0.15) + (math.pi / 2 if rng.random() < 0.2 else 0)
        steps = np.linspace(-0.5, 0.5, _POINTS) * length
        wander = np.cumsum(rng.normal(0, 0.4, _POINTS))
        rows = rng.uniform(0, height) + steps * math.cos(angle) - wander * math.sin(angle)
        columns = rng.uniform(0, width) + steps * math.sin(angle) + wander * math.cos(angle)
        line = _line(rows, columns, 1 if rng.random() < 0.7 else 2, (height, width))
        image, covered = _cover(image, covered, line * np.float32(rng.uniform(0.3, 1)), rng)
    return image, covered


def draw_dust(image: Floats, count: float, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Put specks and short hairs on a picture; arguments and results as in `draw_scratches`."""
    height, width = image.shape[:2]
    covered = np.zeros((height, width, 1), np.float32)
    for _ in range(int(rng.poisson(count))):
        row, column = rng.uniform(0, height), rng.uniform(0, width)
        if rng.random() < _HAIRS:
            turns = rng.uniform(0, 2 * math.pi) + np.cumsum(rng.normal(0, 0.25, _POINTS))
            step = rng.uniform(0.3, 1.2)
            rows = row + np.cumsum(step * np.sin(turns))
            shape = _line(rows, column + np.cumsum(step * np.cos(turns)), 1, (height, width))
        else:
            axes = rng.uniform(*_SPECK, 2)
            shape = _speck(row, column, axes, rng.uniform(0, 180), (height, width))
        image, covered = _cover(image, covered, shape * np.float32(rng.uniform(0.5, 1)), rng)
    return image, covered


def _cover(
    image: Floats, covered: Floats, shape: Floats, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Paint a shape, white in two of three cases, else dark."""
    value = np.float32(rng.uniform(0.8, 1) if rng.random() < 2 / 3 else rng.uniform(0, 0.2))
    return image + shape * (value - image), np.maximum(covered, shape)


def _line(
    rows: NDArray[np.float64], columns: NDArray[np.float64], width: int, size: tuple[int, int]
) -> Floats:
    canvas = np.zeros(size, np.uint8)
    points = np.stack([columns, rows], axis=1) * 2**_SHIFT
    cv2.polylines(canvas, [points.round().astype(np.int32)], False, 255, width, cv2.LINE_AA, _SHIFT)
    return canvas[..., None].astype(np.float32) / np.float32(255)


def _speck(
    row: float, column: float, axes: NDArray[np.float64], angle: float, size: tuple[int, int]
) -> Floats:
    """A filled ellipse with a soft edge of one pixel."""
    rows, columns = np.mgrid[: size[0], : size[1]].astype(np.float32)
    down, right = rows - np.float32(row), columns - np.float32(column)
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    along = (right * cosine + down * sine) / np.float32(axes[0])
    across = (down * cosine - right * sine) / np.float32(axes[1])
    distance = (np.hypot(along, across) - 1) * np.float32(axes.min())
    return np.clip(0.5 - distance, 0, 1)[..., None].astype(np.float32)
