"""What every full-reference metric does first: check the pair, choose channels, cut the border."""

from __future__ import annotations

import torch
from torch import Tensor

from semanir_arch.metrics.color import select_color


def prepare_pair(
    x: Tensor, y: Tensor, crop_border: int, color: str, data_range: float
) -> tuple[Tensor, Tensor]:
    """Bring two images or batches into the form that is compared.

    Args:
        x: (C, H, W) or (B, C, H, W), gray or RGB, range [0, `data_range`], any type.
        y: The same shape.
        crop_border: Pixels to leave out at each edge.
        color: One of `color.COLORS`.
        data_range: Value of white.

    Returns:
        Both as (B, C, H, W): a luma in float64, channels taken as they are in their own type.

    Raises:
        ValueError: Shapes differ or are not those of images, values are not finite, or nothing is
            left inside the border.
    """
    if x.shape != y.shape:
        raise ValueError(f"images differ in shape: {tuple(x.shape)} and {tuple(y.shape)}")
    if x.dim() not in (3, 4):
        raise ValueError(f"expected (C, H, W) or (B, C, H, W), received {tuple(x.shape)}")
    if data_range <= 0:
        raise ValueError(f"data_range must be positive, received {data_range}")
    height, width = x.shape[-2:]
    if crop_border < 0 or min(height, width) <= 2 * crop_border:
        raise ValueError(f"crop_border {crop_border} does not fit an image of {height} x {width}")
    inside = (
        ...,
        slice(crop_border, height - crop_border),
        slice(crop_border, width - crop_border),
    )
    pair = []
    for image in (x, y):
        chosen = select_color(image[inside], color, data_range)
        if chosen.is_floating_point() and not torch.isfinite(chosen).all():
            raise ValueError("the images have values that are not finite (nan or inf)")
        pair.append(chosen if chosen.dim() == 4 else chosen[None])
    return pair[0], pair[1]
