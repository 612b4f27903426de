"""Mean absolute error."""

from __future__ import annotations

from torch import Tensor

from semanir_arch.metrics.preparation import prepare_pair


def mae(
    x: Tensor,
    y: Tensor,
    *,
    crop_border: int = 0,
    color: str = "rgb",
    data_range: float | None = None,
) -> Tensor:
    """Mean absolute difference of each image, as a share of white.

    Args:
        x: (C, H, W) or (B, C, H, W), gray or RGB, range [0, `data_range`].
        y: The same shape; the order of the two does not matter.
        crop_border: Pixels to leave out at each edge.
        color: Color space, as for `psnr`.
        data_range: Value of white; None: by the type, as in `psnr`.

    Returns:
        (B,) float64, 0 for identical images. One value for (C, H, W).

    Raises:
        ValueError: See `prepare_pair`.
    """
    x, y, white = prepare_pair(x, y, crop_border, color, data_range)
    return (x.double() - y.double()).abs().mean(dim=(1, 2, 3)) / white
