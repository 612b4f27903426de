"""What a camera, and whoever passes a picture on, does to it after the colors are made.

All functions take (H, W, 3) RGB float32 with values as stored, nominally in [0, 1], and return the
same without clipping.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from semanir_arch.data.degradations.declaration import Chance, Declared, Number

__all__ = [
    "FILTERS",
    "SHARPENING",
    "remaining_deviation",
    "resize",
    "sharpen",
    "smooth",
    "smooth_chroma",
    "smooth_luma",
]

Pixels = NDArray[np.float32]

# BT.601, full range: the colors of JPEG
_TO_YCC = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32
)
_FROM_YCC = np.linalg.inv(_TO_YCC).astype(np.float32)

FILTERS = {
    "area": cv2.INTER_AREA,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "lanczos": cv2.INTER_LANCZOS4,
}
"""Ways to resize, as OpenCV has them: but for `area` not antialiased, as programs often are."""


SHARPENING: Declared = {
    "sharpen_prob": Chance(0.35, "share that is sharpened"),
    "sharpen": Number([0.2, 1], 0, 4, "amount of unsharp masking"),
    "sharpen_sigma": Number([0.5, 1.5], 0.3, 8, "standard deviation of the blur, in pixels"),
}
"""Settings of `sharpen`."""


def smooth(image: Pixels, sigma: float) -> Pixels:
    """Gaussian blur of standard deviation `sigma` pixels; 0 does nothing."""
    return _gaussian(image, sigma) if sigma > 0 else image


def smooth_chroma(image: Pixels, sigma: float) -> Pixels:
    """Blur of color without brightness, the commonest noise reduction of cameras.

    Args:
        image: Picture as described above.
        sigma: Standard deviation of the Gaussian in pixels, 0 or more.
    """
    if sigma <= 0:
        return image
    colours: Pixels = image @ _TO_YCC.T
    colours[..., 1:] = _gaussian(colours[..., 1:], sigma)
    restored: Pixels = colours @ _FROM_YCC.T
    return restored


def smooth_luma(image: Pixels, contrast: float, sigma: float = 1.5) -> Pixels:
    """Edge-preserving smoothing of brightness, as a camera's noise reduction.

    The bilateral filter of C. Tomasi and R. Manduchi, Bilateral Filtering for Gray and Color
    Images, ICCV 1998.

    Args:
        image: Picture as described above.
        contrast: Standard deviation among values; differences well above it are kept.
        sigma: Standard deviation among pixels.
    """
    if contrast <= 0:
        return image
    luma = np.ascontiguousarray(image @ _TO_YCC[0])
    return image + (cv2.bilateralFilter(luma, 5, contrast, sigma) - luma)[..., None]


def sharpen(image: Pixels, amount: float, sigma: float) -> Pixels:
    """Unsharp masking: add `amount` times what a Gaussian blur of `sigma` pixels takes away."""
    return image + amount * (image - _gaussian(image, sigma)) if amount > 0 else image


def resize(image: Pixels, height: int, width: int, method: str) -> Pixels:
    """Resize to a number of rows and columns by one of `FILTERS`."""
    if image.shape[:2] == (height, width):
        return image
    resized = cv2.resize(image, (width, height), interpolation=FILTERS[method])
    return resized.astype(np.float32, copy=False)


def remaining_deviation(sigma: float) -> float:
    """Standard deviation of white noise of variance 1 after `smooth` with this `sigma`."""
    if sigma <= 0:
        return 1.0
    return float((cv2.getGaussianKernel(_side(sigma), sigma) ** 2).sum())


def _gaussian(image: NDArray[Any], sigma: float) -> NDArray[Any]:
    side = _side(sigma)
    return cv2.GaussianBlur(image, (side, side), sigma, borderType=cv2.BORDER_REFLECT_101)


def _side(sigma: float) -> int:
    # to three standard deviations; OpenCV takes four for floats
    return 2 * max(1, int(np.ceil(3 * sigma))) + 1
