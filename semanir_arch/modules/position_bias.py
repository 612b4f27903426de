"""Continuous position bias: a small network from the offset of two tokens to a bias per head.

Introduced by Swin Transformer V2 (arXiv 2111.09883), Section 3.3; in SemanIR its presence and its
hidden width of 512 follow from the published parameter counts.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from semanir_arch.ops.autocast import without_autocast
from semanir_arch.utils.errors import InputError

__all__ = ["ContinuousPositionBias"]


class ContinuousPositionBias(nn.Module):
    """Bias of attention scores within a window.

    Args:
        num_heads: Attention heads, h.
        window_size: Side of the window in pixels, w.
        hidden_dim: Width of the hidden layer.
    """

    offsets: Tensor

    def __init__(self, num_heads: int, window_size: int, hidden_dim: int = 512) -> None:
        super().__init__()
        self.window_size = window_size
        self.mlp = nn.Sequential(
            nn.Linear(2, hidden_dim),
            nn.ReLU(inplace=True),
            nn.Linear(hidden_dim, num_heads, bias=False),
        )
        self.register_buffer("offsets", _log_offsets(window_size), persistent=False)

    def forward(self) -> Tensor:
        """Return the bias of each offset, key - query = (y, x) - (w - 1), in (0, 16).

        Returns:
            Shape (h, 2w - 1, 2w - 1), which `semanir_arch.ops.key_semantic_attention` takes.
        """
        side = 2 * self.window_size - 1
        # Under autocast a bias near 16 would lose all but three of its bits behind the point.
        with without_autocast(self.offsets.device.type):
            return 16 * torch.sigmoid(self.mlp(self.offsets)).T.reshape(-1, side, side)


_LARGEST_WINDOW = 1024
"""Largest window; its offsets take 33 MB; files with weights may ask for more than any computer
has."""


def _log_offsets(window_size: int) -> Tensor:
    """Offsets key - query, scaled to [-8, 8], then logarithmic: shape ((2w - 1)^2, 2)."""
    if window_size > _LARGEST_WINDOW:
        raise InputError(f"window_size={window_size}; allowed: 1 to {_LARGEST_WINDOW}")
    # Computed also where a network is built without memory: on "meta", arithmetic imports torch's
    # compiler, which takes seconds.
    with torch.device("cpu"):
        offset = torch.arange(1 - window_size, window_size, dtype=torch.float32)
        # A window of one pixel has the single offset 0.
        offset = offset * (8 / max(window_size - 1, 1))
        offset = offset.sign() * (offset.abs() + 1).log2() / math.log2(8)
        offsets = torch.cartesian_prod(offset, offset)
    return offsets.to(torch.empty(0).device)
