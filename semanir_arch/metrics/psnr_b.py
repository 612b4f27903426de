"""PSNR with a penalty for visible blocks, for the removal of JPEG artifacts.

C. Yim, A. C. Bovik, Quality Assessment of Deblocked Images, IEEE Transactions on Image Processing
20(1), 2011: the mean squared error grows by the blocking effect factor, which compares differences
between neighboring pixels across the edges of 8 x 8 blocks with those inside.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from semanir_arch.metrics.preparation import prepare_pair
from semanir_arch.utils.errors import InputError

_BLOCK = 8


def psnr_b(
    restored: Tensor,
    target: Tensor,
    *,
    crop_border: int = 0,
    color: str = "rgb",
    data_range: float | None = None,
) -> Tensor:
    """PSNR-B of each image, mean over channels.

    Args:
        restored: (C, H, W) or (B, C, H, W), gray or RGB, range [0, `data_range`]; more than 8
            pixels high and wide inside the border. Blocks are looked for in this image, in the grid
            of JPEG, which starts at the corner: cut only borders that are multiples of 8.
        target: The same shape.
        crop_border: Pixels to leave out at each edge.
        color: Color space, as for `psnr`.
        data_range: Value of white; None: by the type, as in `psnr`.

    Returns:
        (B,) float64, in decibel; of one channel, at most its PSNR. `inf` where a channel is
        identical and without blocks.

    Raises:
        ValueError: The image is too small, or see `prepare_pair`.
    """
    restored, target, white = prepare_pair(restored, target, crop_border, color, data_range)
    restored, target = restored.double(), target.double()
    height, width = restored.shape[-2:]
    if min(height, width) <= _BLOCK:
        raise InputError(
            f"PSNR-B needs more than {_BLOCK} x {_BLOCK} pixels, received {height} x {width}"
        )
    error = (restored - target).square().mean(dim=(2, 3)) + _blocking_effect(restored)
    return (10 * (white**2 / error).log10()).mean(dim=1)


def _blocking_effect(x: Tensor) -> Tensor:
    """Equations 10 to 14 of the paper: (B, C, H, W) to (B, C), in the square of the range."""
    across, inside = (torch.zeros(x.shape[:2], dtype=x.dtype, device=x.device) for _ in range(2))
    across_count = inside_count = 0
    for dim in (2, 3):
        steps = x.diff(dim=dim).square()
        at_edge = torch.zeros(steps.shape[dim], dtype=torch.bool, device=x.device)
        at_edge[_BLOCK - 1 :: _BLOCK] = True
        profile = steps.sum(dim=5 - dim)
        across += profile[..., at_edge].sum(dim=-1)
        inside += profile[..., ~at_edge].sum(dim=-1)
        edges, length = int(at_edge.sum()), steps.shape[5 - dim]
        across_count += edges * length
        inside_count += (steps.shape[dim] - edges) * length
    excess = across / across_count - inside / inside_count
    strength = math.log2(_BLOCK) / math.log2(min(x.shape[-2:]))
    return strength * excess.clamp(min=0)
