"""Colours of transparent and weak pixels, before a network sees them; see `data.files`."""

from __future__ import annotations

from collections.abc import Callable

from semanir_arch.data.files import hidden_colors
from semanir_arch.restoring.pixels import Pixels

__all__ = ["with_visible_colors"]


def with_visible_colors(pixels: Pixels, tick: Callable[[], None] = lambda: None) -> Pixels:
    """Give hidden pixels the colours of visible ones; opacity stays.

    Args:
        pixels: An image.
        tick: Called now and then; what it raises ends the work.

    Returns:
        The same object where nothing is hidden or nothing visible; else a copy, of the same layout
        and type, in which pixels that are visible beside their neighbours are unchanged.
    """
    if not pixels.has_alpha:
        return pixels
    layers = hidden_colors.with_visible_colors(pixels.layers, tick)
    return pixels if layers is pixels.layers else Pixels(layers, pixels.flat)
