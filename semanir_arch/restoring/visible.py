"""Images as people see them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from semanir_arch.restoring.pixels import split

__all__ = ["visible"]


def visible(image: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Any layout and type as 8-bit RGB (H, W, 3), transparent parts over white.

    Args:
        image: As `Restorer.restore` takes.

    Raises:
        TypeError, ValueError: As `pixels.split`.
    """
    pixels = split(image)
    color = pixels.color.clamp(0, 1)
    if pixels.alpha is not None:
        color = color * pixels.alpha + (1 - pixels.alpha)
    rgb = color.expand(-1, 3, -1, -1)[0].permute(1, 2, 0).numpy()
    return np.rint(rgb * 255).astype(np.uint8)
