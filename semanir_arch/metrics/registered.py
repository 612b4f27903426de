"""The metrics in BasicSR's form: functions on two uint8 images (H, W, C) in BGR order.

In an option file:

    metrics:
      psnr: {type: semanir_psnr, crop_border: 0, color: rgb}
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semanir_arch.metrics.color import COLORS
from semanir_arch.metrics.mae import mae
from semanir_arch.metrics.perceptual import SMALLEST, lpips
from semanir_arch.metrics.psnr import psnr
from semanir_arch.metrics.psnr_b import psnr_b
from semanir_arch.metrics.ssim import KINDS, find_kind, ssim
from semanir_arch.utils.errors import InputError, InputTypeError
from semanir_arch.utils.values import Bounds, OneOf

Border = Annotated[int, Bounds(0, 65536)]
"""Pixels to leave out at each edge."""

Color = Annotated[str, OneOf(*COLORS)]
"""Compared channels."""

Net = Annotated[str, OneOf(*SMALLEST)]
"""Network whose features are compared."""


def semanir_psnr(
    img: NDArray[Any], img2: NDArray[Any], crop_border: Border = 0, color: Color = "rgb"
) -> float:
    """Peak signal-to-noise ratio in decibel; `inf` for identical images.

    Args:
        img: (H, W, 3) BGR or (H, W), (H, W, 1) gray; uint8.
        img2: The same shape.
        crop_border: Pixels to leave out at each edge.
        color: 'rgb' (all channels), 'y' (BT.601 studio-range luma), 'y_rounded' (the same in 8
            bits) or 'gray' (full-range luma).

    Raises:
        TypeError: An image is not uint8.
        ValueError: See `psnr.psnr`.
    """
    pair = _to_tensor(img), _to_tensor(img2)
    return psnr(*pair, crop_border=crop_border, color=color).item()


def semanir_psnr_b(
    img: NDArray[Any], img2: NDArray[Any], crop_border: Border = 0, color: Color = "rgb"
) -> float:
    """PSNR with a penalty for blocks in `img`, in decibel; arguments and errors as `semanir_psnr`.

    `nan` for images of 8 x 8 pixels or less inside the border.
    """
    pair = _to_tensor(img), _to_tensor(img2)
    if not _fits(img, crop_border, 9):
        return math.nan
    return psnr_b(*pair, crop_border=crop_border, color=color).item()


def semanir_mae(
    img: NDArray[Any], img2: NDArray[Any], crop_border: Border = 0, color: Color = "rgb"
) -> float:
    """Mean absolute error as a share of white; arguments and errors as `semanir_psnr`."""
    pair = _to_tensor(img), _to_tensor(img2)
    return mae(*pair, crop_border=crop_border, color=color).item()


def semanir_ssim(
    img: NDArray[Any],
    img2: NDArray[Any],
    crop_border: Border = 0,
    color: Color = "rgb",
    kind: Annotated[str, OneOf(*KINDS)] = "wang",
) -> float:
    """Structural similarity, at most 1; arguments and errors as `semanir_psnr`.

    `kind` is 'wang' (valid region), 'matlab' (across colors), 'skimage' (its default) or
    'zero_padded'. `nan` for images below 11 x 11 pixels inside the border, for 'skimage' 7 x 7.
    """
    window = find_kind(kind).window
    pair = _to_tensor(img), _to_tensor(img2)
    if not _fits(img, crop_border, window):
        return math.nan
    return ssim(*pair, crop_border=crop_border, color=color, kind=kind).item()


def semanir_lpips(
    img: NDArray[Any], img2: NDArray[Any], crop_border: Border = 0, net: Net = "alex"
) -> float:
    """Perceptual distance, 0 for identical images: say `better: lower`.

    `net` is 'alex', 'vgg' or 'squeeze'. `nan` for images that are too small for it (31, 16 or 17
    pixels inside the border). Needs the package lpips and torchvision's weights; otherwise as
    `semanir_psnr`.
    """
    pair = _to_tensor(img), _to_tensor(img2)
    if not _fits(img, crop_border, SMALLEST.get(net, 0)):
        return math.nan
    return lpips(*pair, crop_border=crop_border, net=net).item()


REGISTERED: dict[str, Callable[..., float]] = {
    function.__name__: function
    for function in (
        semanir_psnr,
        semanir_ssim,
        semanir_psnr_b,
        semanir_mae,
        semanir_lpips,
    )
}
"""Metrics that `semanir_arch.registration` registers."""


def _to_tensor(image: NDArray[Any]) -> Tensor:
    if image.dtype != np.uint8:
        raise InputTypeError(f"images must be uint8, received {image.dtype}")
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[2] not in (1, 3):
        raise InputError(f"images must be (H, W), (H, W, 1) or (H, W, 3), received {image.shape}")
    return torch.from_numpy(np.stack(cv2.split(np.ascontiguousarray(image))[::-1]))


def _fits(image: NDArray[Any], crop_border: int, pixels: int) -> bool:
    """Whether as many pixels are left inside the border, in both directions."""
    inside = min(image.shape[:2]) - 2 * crop_border
    # what the border leaves nothing of is refused by the metric
    return inside <= 0 or inside >= pixels
