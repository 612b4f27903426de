"""The before/after picture: images beside each other, each under its label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from semanir_arch.inference.pixels import split

__all__ = ["side_by_side"]

_GAP = 8
_TEXT_HEIGHTS = (14, 48)


def side_by_side(images: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.uint8]:
    """Draw labelled images in one row, smaller ones enlarged to the largest without smoothing.

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
    panels = {label: Image.fromarray(_to_rgb(image)) for label, image in images.items()}
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


def _to_rgb(image: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Any layout and type to uint8 RGB (H, W, 3), over white."""
    pixels = split(image)
    color = pixels.color.clamp(0, 1)
    if pixels.alpha is not None:
        color = color * pixels.alpha + (1 - pixels.alpha)
    rgb = color.expand(-1, 3, -1, -1)[0].permute(1, 2, 0).numpy()
    return np.rint(rgb * 255).astype(np.uint8)
