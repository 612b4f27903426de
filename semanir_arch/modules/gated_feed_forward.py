"""The gated feed-forward of Restormer (arXiv 2111.09881), Section 3.2."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from semanir_arch.ops.autocast import cast_once

from .bands import map_rows

__all__ = ["GatedFeedForward"]

# Widths like 127 leave vector registers and cache lines partly used: 128 takes two thirds as long.
_LANES = 16


class GatedFeedForward(nn.Module):
    """Two expansions that see the 3x3 pixels around them; GELU of one gates the other.

    Args:
        dim: Channels, C.
        ratio: Hidden channels per channel; their number is rounded down.
        bias: Whether the convolutions have biases.
    """

    def __init__(self, dim: int, ratio: float = 2.66, bias: bool = False) -> None:
        super().__init__()
        hidden = int(dim * ratio)
        self.project_in = nn.Conv2d(dim, 2 * hidden, 1, bias=bias)
        self.dwconv = nn.Conv2d(2 * hidden, 2 * hidden, 3, padding=1, groups=2 * hidden, bias=bias)
        self.project_out = nn.Conv2d(hidden, dim, 1, bias=bias)

    def forward(self, x: Tensor, norm: nn.Module) -> Tensor:
        """Compute x + feed_forward(norm(x)).

        Args:
            x: Shape (B, C, H, W).
            norm: Maps each pixel for itself.

        Returns:
            Shape (B, C, H, W).
        """
        (gate_in, value_in), (gate_depth, value_depth) = (
            (_filled_half(layer, 0), _filled_half(layer, 1))
            for layer in (self.project_in, self.dwconv)
        )
        filled = gate_in[0].shape[0]
        missing = filled - self.project_out.in_channels
        out_weight = cast_once(F.pad(self.project_out.weight, (0, 0, 0, 0, 0, missing)))

        def apply(rows: Tensor) -> Tensor:
            normed = norm(rows)
            gate = F.conv2d(F.conv2d(normed, *gate_in), *gate_depth, padding=1, groups=filled)
            value = F.conv2d(F.conv2d(normed, *value_in), *value_depth, padding=1, groups=filled)
            return rows + F.conv2d(F.gelu(gate) * value, out_weight, self.project_out.bias)

        return map_rows(apply, x)


def _filled_half(layer: nn.Conv2d, half: int) -> tuple[Tensor, Tensor | None]:
    """Weight and bias of half of the channels, then zeros up to whole vector registers."""
    weight = layer.weight.chunk(2)[half]
    missing = -weight.shape[0] % _LANES
    filled = cast_once(F.pad(weight, (0, 0, 0, 0, 0, 0, 0, missing)))
    if layer.bias is None:
        return filled, None
    return filled, cast_once(F.pad(layer.bias.chunk(2)[half], (0, missing)))
