"""Restormer's equations written down plainly: the fast network is compared with them.

Names of parameters are the official ones, so that both networks load the same weights.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class _Norm(nn.Module):
    def __init__(self, dim: int, with_bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.bias = nn.Parameter(torch.zeros(dim)) if with_bias else None

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.permute(0, 2, 3, 1)
        mean = tokens.mean(-1, keepdim=True)
        deviation = (tokens.var(-1, keepdim=True, unbiased=False) + 1e-5).sqrt()
        if self.bias is None:
            out = tokens / deviation * self.weight
        else:
            out = (tokens - mean) / deviation * self.weight + self.bias
        return out.permute(0, 3, 1, 2)


class _Attention(nn.Module):
    def __init__(self, dim: int, heads: int, bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = nn.Conv2d(dim, 3 * dim, 1, bias=bias)
        self.qkv_dwconv = nn.Conv2d(3 * dim, 3 * dim, 3, padding=1, groups=3 * dim, bias=bias)
        self.project_out = nn.Conv2d(dim, dim, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        batch, dim, height, width = x.shape
        q, k, v = self.qkv_dwconv(self.qkv(x)).chunk(3, dim=1)
        q, k, v = (t.reshape(batch, self.heads, dim // self.heads, -1) for t in (q, k, v))
        scores = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1)
        out = (scores * self.temperature).softmax(dim=-1) @ v
        return self.project_out(out.reshape(batch, dim, height, width))


class _FeedForward(nn.Module):
    def __init__(self, dim: int, factor: float, bias: bool) -> None:
        super().__init__()
        hidden = int(dim * factor)
        self.project_in = nn.Conv2d(dim, 2 * hidden, 1, bias=bias)
        self.dwconv = nn.Conv2d(2 * hidden, 2 * hidden, 3, padding=1, groups=2 * hidden, bias=bias)
        self.project_out = nn.Conv2d(hidden, dim, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.dwconv(self.project_in(x)).chunk(2, dim=1)
        return self.project_out(F.gelu(gate) * value)


class _Block(nn.Module):
    def __init__(self, dim: int, heads: int, factor: float, bias: bool, with_bias: bool) -> None:
        super().__init__()
        self.norm1 = _body(_Norm(dim, with_bias))
        self.attn = _Attention(dim, heads, bias)
        self.norm2 = _body(_Norm(dim, with_bias))
        self.ffn = _FeedForward(dim, factor, bias)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.ffn(self.norm2(x))


class NaiveRestormer(nn.Module):
    """Restormer for images whose sides are multiples of 8; arguments as `Restormer`'s."""

    def __init__(
        self,
        inp_channels: int = 3,
        out_channels: int = 3,
        dim: int = 48,
        num_blocks: Sequence[int] = (4, 6, 6, 8),
        num_refinement_blocks: int = 4,
        heads: Sequence[int] = (1, 2, 4, 8),
        ffn_expansion_factor: float = 2.66,
        bias: bool = False,
        LayerNorm_type: str = "WithBias",
        dual_pixel_task: bool = False,
    ) -> None:
        super().__init__()

        def level(width: int, depth: int, head_count: int) -> nn.Sequential:
            with_bias = LayerNorm_type == "WithBias"
            return nn.Sequential(
                *(
                    _Block(width, head_count, ffn_expansion_factor, bias, with_bias)
                    for _ in range(depth)
                )
            )

        n1, n2, n3, n4 = num_blocks
        h1, h2, h3, h4 = heads
        self.patch_embed = nn.Sequential(
            OrderedDict(proj=nn.Conv2d(inp_channels, dim, 3, padding=1, bias=bias))
        )
        self.encoder_level1 = level(dim, n1, h1)
        self.down1_2 = _down(dim)
        self.encoder_level2 = level(2 * dim, n2, h2)
        self.down2_3 = _down(2 * dim)
        self.encoder_level3 = level(4 * dim, n3, h3)
        self.down3_4 = _down(4 * dim)
        self.latent = level(8 * dim, n4, h4)
        self.up4_3 = _up(8 * dim)
        self.reduce_chan_level3 = nn.Conv2d(8 * dim, 4 * dim, 1, bias=bias)
        self.decoder_level3 = level(4 * dim, n3, h3)
        self.up3_2 = _up(4 * dim)
        self.reduce_chan_level2 = nn.Conv2d(4 * dim, 2 * dim, 1, bias=bias)
        self.decoder_level2 = level(2 * dim, n2, h2)
        self.up2_1 = _up(2 * dim)
        self.decoder_level1 = level(2 * dim, n1, h1)
        self.refinement = level(2 * dim, num_refinement_blocks, h1)
        self.dual = dual_pixel_task
        if dual_pixel_task:
            self.skip_conv = nn.Conv2d(dim, 2 * dim, 1, bias=bias)
        self.output = nn.Conv2d(2 * dim, out_channels, 3, padding=1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        shallow = self.patch_embed(x)
        skip1 = self.encoder_level1(shallow)
        skip2 = self.encoder_level2(self.down1_2(skip1))
        skip3 = self.encoder_level3(self.down2_3(skip2))
        y = self.latent(self.down3_4(skip3))
        y = self.reduce_chan_level3(torch.cat([self.up4_3(y), skip3], dim=1))
        y = self.decoder_level3(y)
        y = self.reduce_chan_level2(torch.cat([self.up3_2(y), skip2], dim=1))
        y = self.decoder_level2(y)
        y = self.decoder_level1(torch.cat([self.up2_1(y), skip1], dim=1))
        y = self.refinement(y)
        if self.dual:
            return self.output(y + self.skip_conv(shallow))
        return self.output(y) + x


def _body(module: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(body=module))


def _down(dim: int) -> nn.Sequential:
    conv = nn.Conv2d(dim, dim // 2, 3, padding=1, bias=False)
    return _body(nn.Sequential(conv, nn.PixelUnshuffle(2)))


def _up(dim: int) -> nn.Sequential:
    conv = nn.Conv2d(dim, 2 * dim, 3, padding=1, bias=False)
    return _body(nn.Sequential(conv, nn.PixelShuffle(2)))
