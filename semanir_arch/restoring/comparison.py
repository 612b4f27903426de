"""The before/after picture: images beside each other, each under its label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from semanir_arch.restoring.visible import visible

__all__ = ["LARGEST_SIDE", "side_by_side"]

LARGEST_SIDE = 4096
"""In pixels: larger images are reduced, so that the picture can be opened."""

_GAP = 8
_TEXT_HEIGHTS = (14, 48)


def side_by_side(images: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.uint8]:
    """Draw labelled images in one row, smaller ones enlarged to the largest without smoothing.

    Sides beyond `LARGEST_SIDE` are reduced to it.

    Args:
        images: Label -> image of any layout and type that `Restorer.restore` takes. Transparent
            parts are drawn over white.

    Returns:
        RGB picture (H, W, 3).

    Raises:
        ValueError: If there is no image.
    """
    if not images:
        raise ValueError("no image to draw")
    panels = {
        label: Image.fromarray(visible(_reduced(image, LARGEST_SIDE)))
        for label, image in images.items()
    }
    width = max(panel.width for panel in panels.values())
    height = max(panel.height for panel in panels.values())
    text_height = min(max(height // 20, _TEXT_HEIGHTS[0]), _TEXT_HEIGHTS[1])
    font = ImageFont.load_default(text_height)
    # A tiny image gets as much room as its label.
    column = max([width, *(round(font.getlength(label)) for label in panels)]) + _GAP
    top = 2 * text_height
    canvas = Image.new("RGB", (_GAP + column * len(panels), top + height + _GAP), "white")
    draw = ImageDraw.Draw(canvas)
    for index, (label, panel) in enumerate(panels.items()):
        left = _GAP + index * column
        draw.text((left, text_height // 2), label, fill="black", font=font)
        canvas.paste(panel.resize((width, height), Image.Resampling.NEAREST), (left, top))
    return np.asarray(canvas)


def _reduced(image: npt.NDArray[Any], side: int) -> npt.NDArray[Any]:
    """An image whose longer side is at most this long."""
    longer = max(image.shape[:2])
    if longer <= side:
        return image
    height, width = (max(1, round(length * side / longer)) for length in image.shape[:2])
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return small.reshape(height, width, *image.shape[2:])
