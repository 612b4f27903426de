"""The metrics in BasicSR's form: functions on two uint8 images (H, W, C) in BGR order.

In an option file:

    metrics:
      psnr: {type: semanir_psnr, crop_border: 0, color: rgb}
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semanir_arch.metrics.psnr import psnr
from semanir_arch.metrics.ssim import ssim


def semanir_psnr(
    img: NDArray[Any], img2: NDArray[Any], crop_border: int = 0, color: str = "rgb"
) -> float:
    """Peak signal-to-noise ratio in decibel; `inf` for identical images.

    Args:
        img: (H, W, 3) BGR or (H, W), (H, W, 1) gray; uint8.
        img2: The same shape.
        crop_border: Pixels to leave out at each edge.
        color: 'rgb' (all channels), 'y' (BT.601 studio-range luma) or 'gray' (full-range luma).

    Raises:
        TypeError: An image is not uint8.
        ValueError: See `psnr.psnr`.
    """
    pair = _to_tensor(img), _to_tensor(img2)
    return psnr(*pair, crop_border=crop_border, color=color, data_range=255).item()


def semanir_ssim(
    img: NDArray[Any], img2: NDArray[Any], crop_border: int = 0, color: str = "rgb"
) -> float:
    """Structural similarity, at most 1.

    Arguments and errors as `semanir_psnr`; images need 11 x 11 pixels inside the border.
    """
    pair = _to_tensor(img), _to_tensor(img2)
    return ssim(*pair, crop_border=crop_border, color=color, data_range=255).item()


REGISTERED: dict[str, Callable[..., float]] = {
    "semanir_psnr": semanir_psnr,
    "semanir_ssim": semanir_ssim,
}
"""Metrics that `semanir_arch.plugin` registers."""


def _to_tensor(image: NDArray[Any]) -> Tensor:
    if image.dtype != np.uint8:
        raise TypeError(f"images must be uint8, received {image.dtype}")
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[2] not in (1, 3):
        raise ValueError(f"images must be (H, W), (H, W, 1) or (H, W, 3), received {image.shape}")
    rgb_chw = image[..., ::-1].transpose(2, 0, 1)
    # tensors know no negative strides, which even a contiguous gray image has here
    return torch.from_numpy(rgb_chw.copy())
