"""The transformer layer's position-wise network."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["FeedForward"]


class FeedForward(nn.Module):
    """Two linear maps with GELU between them.

    Args:
        dim: Channels in and out.
        ratio: Hidden channels per channel.
    """

    def __init__(self, dim: int, ratio: float = 2.0) -> None:
        super().__init__()
        hidden = int(dim * ratio)
        self.expand = nn.Linear(dim, hidden)
        self.activation = nn.GELU()
        self.reduce = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., C) to (..., C)."""
        return self.reduce(self.activation(self.expand(x)))
