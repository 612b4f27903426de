"""Two convolutions beside a skip: what CPUs and GPUs compute at their highest rate.

EDSR (arXiv 1707.02921), Section 3.1: a residual block without normalization.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["ResidualBlock"]

# EDSR multiplies the branch by 0.1 at all times; only its first weights are that much smaller here,
# which lets deep stacks start as near-identities and costs nothing later.
_FIRST_SCALE = 0.1


class ResidualBlock(nn.Module):
    """Convolution, ReLU, convolution, added to the input.

    Args:
        dim: Channels, C.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(dim, dim, 3, padding=1)
        self.conv2 = nn.Conv2d(dim, dim, 3, padding=1)
        with torch.no_grad():
            self.conv2.weight *= _FIRST_SCALE

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H, W)."""
        return x + self.conv2(F.relu(self.conv1(x)))
