"""What is compared: all channels, one luma channel, or the image as a script would save it."""

from __future__ import annotations

import torch
from torch import Tensor

from semanir_arch.utils.errors import InputError, InputTypeError

COLORS = ("rgb", "y", "y_rounded", "gray")
"""`rgb`: all channels as they are; `y`: studio-range luma; `y_rounded`: the same in 8 bits, as
MATLAB's rgb2ycbcr returns it for 8-bit images; `gray`: full-range luma."""

# BT.601 luma in studio range, 16 to 235 of 255, for red, green and blue in [0, 1]
# (MATLAB's rgb2ycbcr, BasicSR's bgr2ycbcr)
_STUDIO_WEIGHTS = (65.481, 128.553, 24.966)
_STUDIO_OFFSET = 16.0
# BT.601 luma in full range (OpenCV's cvtColor)
_FULL_WEIGHTS = (0.299, 0.587, 0.114)


def rgb_to_y(x: Tensor, data_range: float = 1.0) -> Tensor:
    """Luma as super-resolution tables use it: BT.601, studio range, not rounded.

    Args:
        x: (..., 3, H, W) RGB, range [0, `data_range`].
        data_range: Value of white.

    Returns:
        (..., 1, H, W) float64, from 16/255 (black) to 235/255 (white) of `data_range`.

    Raises:
        ValueError: `x` has another number of channels.
    """
    return (_weighted(x, _STUDIO_WEIGHTS) + _STUDIO_OFFSET * data_range) / 255


def rgb_to_gray(x: Tensor) -> Tensor:
    """Luma as gray images use it: BT.601, full range, not rounded.

    Args:
        x: (..., 3, H, W) RGB, any range.

    Returns:
        (..., 1, H, W) float64 in the range of `x`.

    Raises:
        ValueError: `x` has another number of channels.
    """
    return _weighted(x, _FULL_WEIGHTS)


def select_color(x: Tensor, color: str, data_range: float) -> Tensor:
    """The channels that a metric compares.

    Args:
        x: (..., C, H, W) gray or RGB. Gray images are taken as they are, whatever `color` says.
        color: Color space, one of `COLORS`.
        data_range: Value of white.

    Returns:
        (..., C or 1, H, W): a luma in float64, channels taken as they are in their own type.

    Raises:
        ValueError: `color` is unknown, or a luma is asked of an image that is neither gray nor RGB.
    """
    if color not in COLORS:
        raise InputError(f"color must be one of {', '.join(COLORS)}, received {color!r}")
    if color == "rgb" or x.shape[-3] == 1:
        return x
    if color == "gray":
        return rgb_to_gray(x)
    luma = rgb_to_y(x, data_range)
    if color == "y":
        return luma
    # MATLAB rounds halves up; torch.round takes the even neighbor.
    return (luma * (255 / data_range) + 0.5).floor() * (data_range / 255)


def to_unit_range(x: Tensor) -> Tensor:
    """An image in [0, 1]: floats as they are, stored integers divided by their white.

    Args:
        x: Values of any shape; float, uint8 or uint16.

    Returns:
        Same shape; floats in their own type, others float64.

    Raises:
        TypeError: Another type.
        ValueError: Values are not finite.
    """
    if x.is_floating_point():
        if not torch.isfinite(x).all():
            raise InputError("the image has values that are not finite (nan or inf)")
        return x
    if x.dtype not in (torch.uint8, torch.uint16):
        raise InputTypeError(f"images must be float, uint8 or uint16, received {x.dtype}")
    return x.double() / torch.iinfo(x.dtype).max


def quantize_uint8(x: Tensor) -> Tensor:
    """An image as an 8-bit file holds it: clamped, scaled and rounded to the nearest level.

    Args:
        x: Values of any shape, float, range [0, 1].

    Returns:
        uint8, same shape.
    """
    return (x.clamp(0, 1) * 255).round().to(torch.uint8)


def _weighted(x: Tensor, weights: tuple[float, float, float]) -> Tensor:
    if x.dim() < 3 or x.shape[-3] != 3:
        raise InputError(f"expected RGB of shape (..., 3, H, W), received {tuple(x.shape)}")
    red, green, blue = x.to(torch.float64).split(1, dim=-3)
    return red * weights[0] + green * weights[1] + blue * weights[2]
