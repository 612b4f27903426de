"""Resizing as programs do it: area, bilinear, bicubic and nearest, by OpenCV.

Unlike `matlab_resize`, bilinear and bicubic do not filter before they reduce, as most programs do
not: reduced pictures alias. Area averages over the pixels that a new one covers; enlarging, it is
bilinear, as in PyTorch (OpenCV's own rule would repeat pixels).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from semanir_arch.utils.errors import InputError

__all__ = ["MODES", "resize"]

Floats = NDArray[np.float32]

_FLAGS = {
    "area": cv2.INTER_AREA,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "nearest": cv2.INTER_NEAREST_EXACT,
}

MODES = tuple(_FLAGS)
"""Ways of resizing."""


def resize(image: Floats, height: int, width: int, mode: str) -> Floats:
    """Resize an image; its corners stay its corners.

    Args:
        image: (H, W, C) float32.
        height: New number of rows, 1 or more.
        width: New number of columns, 1 or more.
        mode: Interpolation, one of `MODES`.

    Returns:
        (height, width, C) float32; bicubic may leave the range of the image.

    Raises:
        ValueError: The mode is unknown, or a side is below 1.
    """
    if mode not in _FLAGS:
        raise InputError(f"mode must be one of {', '.join(MODES)}, received {mode!r}")
    if height < 1 or width < 1:
        raise InputError(f"an image needs 1 x 1 pixels, received {height} x {width}")
    if (height, width) == image.shape[:2]:
        return image
    grows = height > image.shape[0] or width > image.shape[1]
    flag = cv2.INTER_LINEAR if mode == "area" and grows else _FLAGS[mode]
    resized = cv2.resize(np.ascontiguousarray(image), (width, height), interpolation=flag)
    return np.asarray(resized, np.float32).reshape(height, width, image.shape[2])
