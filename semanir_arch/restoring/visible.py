"""Images as people see them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from semanir_arch.data.files import hidden_colors
from semanir_arch.restoring.pixels import Pixels, split

__all__ = ["visible", "with_visible_colors"]


def visible(image: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Any layout and type as 8-bit RGB (H, W, 3), transparent parts over white.

    Args:
        image: Image that `Restorer.restore` takes.

    Raises:
        TypeError, ValueError: As `pixels.split`.
    """
    pixels = split(image)
    color = pixels.color.clamp(0, 1)
    if pixels.alpha is not None:
        color = color * pixels.alpha + (1 - pixels.alpha)
    rgb = color.expand(-1, 3, -1, -1)[0].permute(1, 2, 0).numpy()
    return np.rint(rgb * 255).astype(np.uint8)


def with_visible_colors(pixels: Pixels, tick: Callable[[], None] = lambda: None) -> Pixels:
    """Give hidden pixels the colors of visible ones; opacity stays.

    Args:
        pixels: An image.
        tick: Function called now and then; an error it raises ends the work.

    Returns:
        The same object where nothing is hidden or nothing visible; else a copy, of the same layout
        and type, in which pixels that are visible beside their neighbors are unchanged.
    """
    if not pixels.has_alpha:
        return pixels
    layers = hidden_colors.with_visible_colors(pixels.layers, tick)
    return pixels if layers is pixels.layers else Pixels(layers, pixels.flat)
