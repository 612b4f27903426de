"""Peak signal-to-noise ratio."""

from __future__ import annotations

from torch import Tensor

from semanir_arch.metrics.preparation import prepare_pair


def psnr(
    x: Tensor,
    y: Tensor,
    *,
    crop_border: int = 0,
    color: str = "rgb",
    data_range: float | None = None,
) -> Tensor:
    """Peak signal-to-noise ratio of each image: 10 log10(data_range^2 / mean squared error).

    Args:
        x: (C, H, W) or (B, C, H, W), gray or RGB, range [0, `data_range`]. Values outside count as
            they are; nothing is clamped or rounded (`quantize_uint8` does both).
        y: The same shape; the order of the two does not matter.
        crop_border: Pixels to leave out at each edge.
        color: 'rgb' (all channels together), 'y' (studio-range BT.601 luma, not rounded),
            'y_rounded' (the same in 8 bits) or 'gray' (full-range luma); gray images are taken as
            they are.
        data_range: Value of white; None: 1 for floats, 255 for uint8, 65535 for uint16.

    Returns:
        (B,) float64, in decibel; `inf` for identical images. One value for (C, H, W).

    Raises:
        ValueError: See `prepare_pair`.

    Example:
        >>> import torch
        >>> black = torch.zeros(3, 8, 8)
        >>> psnr(black, black + 25.5, data_range=255)
        tensor([20.], dtype=torch.float64)
    """
    x, y, white = prepare_pair(x, y, crop_border, color, data_range)
    error = (x.double() - y.double()).square().mean(dim=(1, 2, 3))
    return 10 * (white**2 / error).log10()
