"""Blocks of spatial and channel attention that help each other: RAMiT (arXiv 2305.11474).

Legend: B images, C channels in heads of d, H x W pixels.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semanir_arch.utils.errors import InputError

from .bands import Band, map_rows
from .channel_attention import attend_channels
from .cosine import cosine_scale, make_logit_scale
from .mobivari import make_mobivari
from .norm import ChannelLayerNorm
from .recompute import call
from .state_names import numbered, under
from .window_attention import CosineWindowAttention

__all__ = ["ReciprocalBlock", "ReciprocalStage"]


class ReciprocalBlock(nn.Module):
    """Some heads attend within windows, the others between channels; then a feed-forward.

    Args:
        dim: Channels, C.
        num_heads: Attention heads, 2 or more; must divide C. A quarter of them, but at least one,
            attends between channels.
        window_size: Side of the windows in pixels.
        shifted: Whether the windows are moved by half their side.
        mlp_ratio: Hidden channels of the feed-forward per channel.
        mobivari: Version of the MobiVari that mixes the heads.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        window_size: int,
        *,
        shifted: bool,
        mlp_ratio: float = 2.0,
        mobivari: int = 2,
    ) -> None:
        super().__init__()
        if num_heads < 2 or dim % num_heads:
            raise InputError(f"num_heads={num_heads}: 2 or more, and must divide {dim} channels")
        channel_heads = max(num_heads // 4, 1)
        spatial_heads = num_heads - channel_heads
        hidden = int(dim * mlp_ratio)
        self.head_dim = dim // num_heads
        self.spatial_dim = spatial_heads * self.head_dim
        self.qkv_proj = under("qkv", nn.Conv2d(dim, 3 * dim, 1))
        self.sp_attn = CosineWindowAttention(
            self.spatial_dim, spatial_heads, window_size, shifted=shifted
        )
        self.ch_attn = _ChannelHeads(dim - self.spatial_dim, channel_heads)
        self.mobivari = make_mobivari(mobivari, dim, dim)
        self.norm1 = under("norm", ChannelLayerNorm(dim))
        self.ffn = nn.Sequential(
            OrderedDict(
                hidden=nn.Conv2d(dim, hidden, 1),
                activation=nn.GELU(),
                out=nn.Conv2d(hidden, dim, 1),
            )
        )
        self.norm2 = under("norm", ChannelLayerNorm(dim))

    def forward(
        self, x: Tensor, spatial: Tensor | None = None, channel: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Apply the block.

        Args:
            x: Shape (B, C, H, W), H and W multiples of the window's side.
            spatial: Output of the previous block's window heads; helps the channel heads.
            channel: Output of the previous block's channel heads; helps the window heads.

        Returns:
            The features (B, C, H, W), the mixed attention (B, C, H, W), and what the window heads
            and the channel heads returned.
        """
        helps_windows = helps_channels = None
        if channel is not None:
            helps_windows = channel.unflatten(1, (-1, self.head_dim)).mean(dim=1)
        if spatial is not None:
            helps_channels = spatial.mean(dim=1, keepdim=True)
        weight, bias = (self.qkv_proj.get_parameter(f"qkv.{name}") for name in ("weight", "bias"))
        first = 3 * self.spatial_dim
        spatial = self.sp_attn(x, weight[:first].flatten(1), bias[:first], helps_windows)
        channel = self.ch_attn(x, weight[first:], bias[first:], helps_channels)
        mixed = self.mobivari(torch.cat((spatial, channel), dim=1))
        return map_rows(self._finish, x, mixed, reach=0), mixed, spatial, channel

    def _finish(self, x: Tensor, mixed: Tensor) -> Tensor:
        x = x + self.norm1(mixed)
        return x + self.norm2(self.ffn(x))


class ReciprocalStage(nn.Module):
    """Blocks of which every second has its windows moved.

    Args:
        dim: Channels, C.
        depth: Number of blocks.
        num_heads: Attention heads.
        window_size: Side of the windows in pixels.
        helper: Whether each block's attention helps that of the next.
        mlp_ratio: Hidden channels of the feed-forward per channel.
        mobivari: Version of MobiVari.

    Attributes:
        use_checkpoint: Recompute each block in the backward pass instead of keeping its
            activations.
    """

    use_checkpoint = False

    def __init__(
        self,
        dim: int,
        depth: int,
        num_heads: int,
        window_size: int,
        *,
        helper: bool,
        mlp_ratio: float = 2.0,
        mobivari: int = 2,
    ) -> None:
        super().__init__()
        self.helper = helper
        self.blocks = numbered(
            "block",
            (
                ReciprocalBlock(
                    dim,
                    num_heads,
                    window_size,
                    shifted=index % 2 == 1,
                    mlp_ratio=mlp_ratio,
                    mobivari=mobivari,
                )
                for index in range(depth)
            ),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return features and the last block's mixed attention, both as `x`, (B, C, H, W)."""
        helpers: tuple[Tensor, ...] = ()
        for block in self.blocks:
            x, mixed, *attended = call(block, x, *helpers, recompute=self.use_checkpoint)
            helpers = tuple(attended) if self.helper else ()
        return x, mixed


class _ChannelHeads(nn.Module):
    """Attention between the channels of each head.

    Args:
        dim: Channels of queries, of keys and of values.
        num_heads: Attention heads.
    """

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.logit_scale = make_logit_scale(num_heads)
        self.proj = nn.Conv2d(dim, dim, 1)

    def forward(self, x: Tensor, weight: Tensor, bias: Tensor, helper: Tensor | None) -> Tensor:
        """Attend over the whole image.

        Args:
            x: Shape (B, any number of channels, H, W).
            weight: Projection of the channels of `x` to queries, keys and values, shape (3 C,
                channels of `x`, 1, 1); rows are ordered by head, then queries, keys and values.
            bias: Likewise, shape (3 C).
            helper: Multiplies the values, shape (B, 1, H, W).

        Returns:
            Shape (B, C, H, W).
        """
        num_heads = self.logit_scale.shape[0]

        def project(band: Band) -> tuple[Tensor, Tensor, Tensor]:
            qkv = F.conv2d(x[:, :, band.reach], weight, bias)
            q, k, v = (t.flatten(1, 2) for t in qkv.unflatten(1, (num_heads, 3, -1)).unbind(2))
            if helper is not None:
                v = v * helper[:, :, band.reach]
            return q, k, v

        return attend_channels(x, project, cosine_scale(self.logit_scale), self.proj)
