"""What every full-reference metric does first: check the pair, choose channels, cut the border."""

from __future__ import annotations

import torch
from torch import Tensor

from semanir_arch.metrics.color import select_color
from semanir_arch.utils.errors import InputError

_WHITE = {torch.uint8: 255.0, torch.uint16: 65535.0}
_NO_FLOAT64 = ("mps",)
_KEPT_TYPES = (torch.uint8, torch.uint16, torch.float32, torch.float64)


def prepare_pair(
    x: Tensor, y: Tensor, crop_border: int, color: str, data_range: float | None
) -> tuple[Tensor, Tensor, float]:
    """Bring two images or batches into the form that is compared.

    Args:
        x: (C, H, W) or (B, C, H, W), gray or RGB, range [0, `data_range`], any type and device;
            computed where it lies, or on the CPU if its device has no float64.
        y: The same shape.
        crop_border: Pixels to leave out at each edge.
        color: Color space, one of `color.COLORS`.
        data_range: Value of white; None: 1 for floats, 255 for uint8, 65535 for uint16.

    Returns:
        Both as (B, C, H, W), uint8, uint16, float32 or float64: a luma in float64, channels as they
        are where these types hold them. The value of white.

    Raises:
        ValueError: Shapes differ or are not those of images, values are not finite, nothing is
            left inside the border, or the value of white is not clear.
    """
    if x.shape != y.shape:
        raise InputError(f"images differ in shape: {tuple(x.shape)} and {tuple(y.shape)}")
    if x.dim() not in (3, 4):
        raise InputError(f"expected (C, H, W) or (B, C, H, W), received {tuple(x.shape)}")
    if data_range is None:
        data_range = _white(x, y)
    if data_range <= 0:
        raise InputError(f"data_range must be positive, received {data_range}")
    height, width = x.shape[-2:]
    if crop_border < 0 or min(height, width) <= 2 * crop_border:
        raise InputError(f"crop_border {crop_border} does not fit an image of {height} x {width}")
    inside = (
        ...,
        slice(crop_border, height - crop_border),
        slice(crop_border, width - crop_border),
    )
    pair = []
    for image in (x, y):
        cropped = image[inside]
        cropped = cropped.cpu() if image.device.type in _NO_FLOAT64 else cropped
        chosen = select_color(cropped, color, data_range)
        chosen = chosen if chosen.dtype in _KEPT_TYPES else chosen.double()
        if chosen.is_floating_point() and not torch.isfinite(chosen).all():
            raise InputError("the images have values that are not finite (nan or inf)")
        pair.append(chosen if chosen.dim() == 4 else chosen[None])
    return pair[0], pair[1], data_range


def _white(x: Tensor, y: Tensor) -> float:
    if x.dtype != y.dtype and not (x.is_floating_point() and y.is_floating_point()):
        raise InputError(
            f"images differ in type: {x.dtype} and {y.dtype}; convert one, or give data_range"
        )
    if x.is_floating_point():
        return 1.0
    if x.dtype not in _WHITE:
        raise InputError(f"give data_range, the value of white, for images of {x.dtype}")
    return _WHITE[x.dtype]
