"""Cosine attention in windows with a learned bias per relative position.

Swin Transformer (arXiv 2103.14030), Section 3.2, with the cosine of Swin Transformer V2
(arXiv 2111.09883), Section 3.3.

Legend: B images, C channels in h heads of d, H x W pixels, nW windows of w x w pixels, N = w w.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from semanir_arch.ops.autocast import cast_once, without_autocast

from .bands import map_rows
from .cosine import cosine_scale, make_logit_scale
from .window import window_partition, window_reverse

__all__ = ["CosineWindowAttention"]


class CosineWindowAttention(nn.Module):
    """Self-attention in windows, optionally moved by half a window around the image's borders.

    A moved window at a border also sees pixels of the opposite border: nothing is masked.

    Args:
        dim: Channels of queries, of keys, of values and of the result, C.
        num_heads: Attention heads, h.
        window_size: Side of the windows in pixels, w.
        shifted: Whether the windows are moved.
    """

    relative_position_index: Tensor

    def __init__(self, dim: int, num_heads: int, window_size: int, *, shifted: bool) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.window_size = window_size
        self.shift = window_size // 2 if shifted else 0
        self.logit_scale = make_logit_scale(num_heads)
        self.relative_position_bias_table = nn.Parameter(
            torch.zeros((2 * window_size - 1) ** 2, num_heads)
        )
        self.register_buffer("relative_position_index", _relative_positions(window_size))
        self.proj = nn.Conv2d(dim, dim, 1)

    def forward(self, x: Tensor, weight: Tensor, bias: Tensor, helper: Tensor | None) -> Tensor:
        """Attend within windows.

        Args:
            x: Shape (B, any number of channels, H, W), H and W multiples of w.
            weight: Projection of the channels of `x` to queries, keys and values, shape (3 C,
                channels of `x`); rows are ordered by head, then queries, keys and values.
            bias: Likewise, shape (3 C).
            helper: Multiplies the values of every head, shape (B, d, H, W).

        Returns:
            Shape (B, C, H, W).
        """
        images = [x] if helper is None else [x, helper]
        if self.shift:
            images = [torch.roll(t, (-self.shift, -self.shift), (2, 3)) for t in images]
        weight, bias = cast_once(weight), cast_once(bias)
        out_weight, out_bias = cast_once(self.proj.weight.flatten(1)), cast_once(self.proj.bias)
        position_bias = self.relative_position_bias_table[self.relative_position_index]
        position_bias = position_bias.permute(2, 0, 1).unsqueeze(0)

        def attend(rows: Tensor, help_rows: Tensor | None = None) -> Tensor:
            windows = window_partition(rows, self.window_size)
            qkv = F.linear(windows, weight, bias)
            if qkv.device.type == "cpu":
                # on heads this narrow, bfloat16 is slower there
                qkv = qkv.to(torch.promote_types(qkv.dtype, torch.float32))
            q, k, v = rearrange(
                qkv, "nW N (h qkv d) -> qkv nW h N d", h=self.num_heads, qkv=3
            ).unbind(0)
            if help_rows is not None:
                v = v * window_partition(help_rows, self.window_size).unsqueeze(1)
            out = self._attend(q, k, v, position_bias)
            out = F.linear(out.to(windows.dtype), out_weight, out_bias)
            return window_reverse(out, self.window_size, rows.shape[0], *rows.shape[2:])

        out = map_rows(attend, *images, reach=0, unit=self.window_size)
        return torch.roll(out, (self.shift, self.shift), (2, 3)) if self.shift else out

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, position_bias: Tensor) -> Tensor:
        """Map (nW, h, N, d) to (nW, N, C)."""
        scale = cosine_scale(self.logit_scale).to(q.dtype)
        q, k = q * (scale / _norm(q)), k * (1 / _norm(k))
        with without_autocast(q.device.type):
            out = F.scaled_dot_product_attention(
                q, k, v, attn_mask=position_bias.to(q.dtype), scale=1.0
            )
        return rearrange(out, "nW h N d -> nW N (h d)")


def _norm(x: Tensor) -> Tensor:
    """Lengths of the vectors along the last axis, at least a little."""
    return torch.linalg.vector_norm(x, dim=-1, keepdim=True).clamp(min=1e-12)


def _relative_positions(window_size: int) -> Tensor:
    """Row of the bias table for each query and key of a window, shape (N, N), int64."""
    side = torch.arange(window_size)
    offset = side.unsqueeze(1) - side + window_size - 1
    index = offset[:, None, :, None] * (2 * window_size - 1) + offset[None, :, None, :]
    return index.reshape(window_size**2, window_size**2)
