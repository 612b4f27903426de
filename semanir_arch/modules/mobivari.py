"""MobiVari: RAMiT's variants of the MobileNet bottleneck (arXiv 2305.11474).

The two versions place the activations differently, as the authors' models do.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from semanir_arch.utils.errors import InputError

from .bands import map_rows

__all__ = ["MobiVari1", "MobiVari2", "make_mobivari"]


def make_mobivari(
    version: int, dim: int, out_dim: int, expansion: float = 1.2, groups: int = 4
) -> nn.Module:
    """Make the version that a network uses; `expansion` and `groups` are of version 2.

    Raises:
        ValueError: There is no such version.
    """
    if version == 1:
        return MobiVari1(dim, out_dim)
    if version == 2:
        return MobiVari2(dim, out_dim, expansion, groups)
    raise InputError(f"mobivari={version!r} is unknown; allowed: 1, 2")


class MobiVari1(nn.Module):
    """Depth-wise 3x3 with a skip, then 1x1, each activated; a skip around both if widths agree.

    Args:
        dim: Channels in.
        out_dim: Channels out.
    """

    def __init__(self, dim: int, out_dim: int) -> None:
        super().__init__()
        self.dw_conv = nn.Conv2d(dim, dim, 3, padding=1, groups=dim)
        self.pw_conv = nn.Conv2d(dim, out_dim, 1)
        self.adds_input = dim == out_dim

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, dim, H, W) to (B, out_dim, H, W)."""
        return map_rows(self._map, x)

    def _map(self, x: Tensor) -> Tensor:
        y = F.leaky_relu(self.dw_conv(x), inplace=True) + x
        y = F.leaky_relu(self.pw_conv(y), inplace=True)
        return x + y if self.adds_input else y


class MobiVari2(nn.Module):
    """Grouped 1x1, depth-wise 3x3 with a skip, each activated, then 1x1; a skip if widths agree.

    Args:
        dim: Channels in.
        out_dim: Channels out.
        expansion: Hidden channels per channel in, rounded to the next multiple of `groups` above.
        groups: Groups of the first convolution.
    """

    def __init__(self, dim: int, out_dim: int, expansion: float, groups: int) -> None:
        super().__init__()
        hidden = (int(dim * expansion) // groups + 1) * groups
        self.exp_conv = nn.Conv2d(dim, hidden, 1, groups=groups)
        self.dw_conv = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.pw_conv = nn.Conv2d(hidden, out_dim, 1)
        self.adds_input = dim == out_dim

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, dim, H, W) to (B, out_dim, H, W)."""
        return map_rows(self._map, x)

    def _map(self, x: Tensor) -> Tensor:
        hidden = F.leaky_relu(self.exp_conv(x), inplace=True)
        hidden = F.leaky_relu(self.dw_conv(hidden) + hidden, inplace=True)
        y = self.pw_conv(hidden)
        return x + y if self.adds_input else y
