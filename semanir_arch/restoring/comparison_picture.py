"""The before/after picture: images beside each other, each under its label."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from semanir_arch.data.files.image_encoding import encode_image
from semanir_arch.restoring.visible import visible
from semanir_arch.utils.errors import InputError

__all__ = ["LARGEST_SIDE", "MOST_BYTES", "fitting_picture", "side_by_side"]

LARGEST_SIDE = 4096
"""Largest side in pixels: larger images are reduced, so that the picture can be opened."""

MOST_BYTES = 5_000_000
"""Most bytes of a picture's PNG file, so that it can be sent and shown."""

_GAP = 8
_TEXT_HEIGHTS = (14, 48)


def fitting_picture(
    images: Mapping[str, npt.NDArray[Any]], caption: str, most: int = MOST_BYTES
) -> npt.NDArray[np.uint8]:
    """`side_by_side`, reduced until its PNG file is small enough.

    Args:
        images: Label -> image.
        caption: Text below the images; see `side_by_side`.
        most: Bytes of the file; metadata come on top.
    """
    side = min(LARGEST_SIDE, max(max(image.shape[:2]) for image in images.values()))
    while True:
        picture = side_by_side(images, caption, side)
        if picture.nbytes <= most:
            return picture
        size = len(encode_image(picture, Path("picture.png")))
        if size <= most:
            return picture
        side = int(side * min(0.95, 0.98 * (most / size) ** 0.5))


def side_by_side(
    images: Mapping[str, npt.NDArray[Any]], caption: str = "", side: int = LARGEST_SIDE
) -> npt.NDArray[np.uint8]:
    """Draw labelled images in one row, smaller ones enlarged to the largest without smoothing.

    Args:
        images: Label -> image of any layout and type that `Restorer.restore` takes. Transparent
            parts are drawn over white.
        caption: Text below the images, in as many lines as it needs; none if it is empty.
        side: Longest side in pixels; larger images are reduced to it.

    Returns:
        RGB picture (H, W, 3).

    Raises:
        ValueError: If there is no image.
    """
    if not images:
        raise InputError("no image to draw")
    panels = {
        label: Image.fromarray(visible(_reduced(image, side))) for label, image in images.items()
    }
    width = max(panel.width for panel in panels.values())
    height = max(panel.height for panel in panels.values())
    text_height = min(max(height // 20, _TEXT_HEIGHTS[0]), _TEXT_HEIGHTS[1])
    font = ImageFont.load_default(text_height)
    # A tiny image gets as much room as its label.
    column = max([width, *(round(font.getlength(label)) for label in panels)]) + _GAP
    top = 2 * text_height
    across = _GAP + column * len(panels)
    small_height = max(_TEXT_HEIGHTS[0], round(0.6 * text_height))
    small = ImageFont.load_default(small_height)
    lines = _wrapped(caption, small, across - 2 * _GAP)
    step = round(1.4 * small_height)
    below = step * len(lines) + (_GAP if lines else 0)
    canvas = Image.new("RGB", (across, top + height + _GAP + below), "white")
    draw = ImageDraw.Draw(canvas)
    for index, (label, panel) in enumerate(panels.items()):
        left = _GAP + index * column
        draw.text((left, text_height // 2), label, fill="black", font=font)
        canvas.paste(panel.resize((width, height), Image.Resampling.NEAREST), (left, top))
    for number, line in enumerate(lines):
        place = (_GAP, top + height + _GAP + number * step)
        draw.text(place, line, fill="black", font=small)
    return np.asarray(canvas)


def _wrapped(
    text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int
) -> list[str]:
    """Lines that fit; a longer word is cut."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
            continue
        rest = word
        while rest:
            count = len(rest)
            while count > 1 and font.getlength(rest[:count]) > width:
                count -= 1
            lines.append(rest[:count])
            rest = rest[count:]
    return lines


def _reduced(image: npt.NDArray[Any], side: int) -> npt.NDArray[Any]:
    """An image whose longer side is at most this long."""
    longer = max(image.shape[:2])
    if longer <= side:
        return image
    height, width = (max(1, round(length * side / longer)) for length in image.shape[:2])
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return small.reshape(height, width, *image.shape[2:])
