"""RAMiT's equations written down plainly: the fast network is compared with them.

Names of parameters are the official ones, so that both networks load the same weights.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WINDOW = 8


class _Norm(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class _MobiVari1(nn.Module):
    def __init__(self, dim: int, out_dim: int) -> None:
        super().__init__()
        self.dw_conv = nn.Conv2d(dim, dim, 3, padding=1, groups=dim)
        self.pw_conv = nn.Conv2d(dim, out_dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        t = F.leaky_relu(self.dw_conv(x)) + x
        y = F.leaky_relu(self.pw_conv(t))
        return y + x if x.shape == y.shape else y


class _MobiVari2(nn.Module):
    def __init__(self, dim: int, out_dim: int, factor: float, groups: int) -> None:
        super().__init__()
        hidden = int(dim * factor)
        hidden = hidden + groups - hidden % groups
        self.exp_conv = nn.Conv2d(dim, hidden, 1, groups=groups)
        self.dw_conv = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.pw_conv = nn.Conv2d(hidden, out_dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        e = F.leaky_relu(self.exp_conv(x))
        y = self.pw_conv(F.leaky_relu(self.dw_conv(e) + e))
        return y + x if x.shape == y.shape else y


def _mobivari(version: int, dim: int, out_dim: int, factor: float, groups: int) -> nn.Module:
    if version == 1:
        return _MobiVari1(dim, out_dim)
    return _MobiVari2(dim, out_dim, factor, groups)


class _SpatialAttention(nn.Module):
    relative_position_index: Tensor

    def __init__(self, heads: int, head_dim: int, shift: int) -> None:
        super().__init__()
        self.heads, self.shift = heads, shift
        self.logit_scale = nn.Parameter(torch.full((heads, 1, 1), math.log(10)))
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * WINDOW - 1) ** 2, heads))
        axis = torch.arange(WINDOW)
        y, x = (t.flatten() for t in torch.meshgrid(axis, axis, indexing="ij"))
        index = (y[:, None] - y + WINDOW - 1) * (2 * WINDOW - 1) + x[:, None] - x + WINDOW - 1
        self.register_buffer("relative_position_index", index)
        self.proj = nn.Conv2d(heads * head_dim, heads * head_dim, 1)

    def forward(self, qkv: Tensor, helper: Tensor | None) -> Tensor:
        batch, _, _, height, width = qkv.shape
        if self.shift:
            qkv = torch.roll(qkv, (-self.shift, -self.shift), (3, 4))
        q, k, v = (
            part.reshape(batch * self.heads, -1, height, width) for part in qkv.chunk(3, dim=2)
        )
        q, k, v = (self._cut(t) for t in (q, k, v))
        if helper is not None:
            helper = helper.unflatten(1, (-1, v.shape[-1])).mean(dim=1)
            if self.shift:
                helper = torch.roll(helper, (-self.shift, -self.shift), (2, 3))
            helper = self._cut(helper).repeat_interleave(self.heads, dim=0)
            v = v * helper
        scale = self.logit_scale.clamp(max=math.log(100)).exp().repeat(batch, 1, 1)[:, None]
        scores = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1) * scale
        bias = self.relative_position_bias_table[self.relative_position_index].permute(2, 0, 1)
        scores = scores + bias.repeat(batch, 1, 1)[:, None]
        out = scores.softmax(dim=-1) @ v
        out = out.reshape(batch * self.heads, height // WINDOW, width // WINDOW, WINDOW, WINDOW, -1)
        out = out.permute(0, 5, 1, 3, 2, 4).reshape(batch, -1, height, width)
        out = self.proj(out)
        return torch.roll(out, (self.shift, self.shift), (2, 3)) if self.shift else out

    @staticmethod
    def _cut(x: Tensor) -> Tensor:
        """(B h, d, H, W) to (B h, windows, tokens, d)."""
        batch, dim, height, width = x.shape
        x = x.reshape(batch, dim, height // WINDOW, WINDOW, width // WINDOW, WINDOW)
        return x.permute(0, 2, 4, 3, 5, 1).reshape(batch, -1, WINDOW * WINDOW, dim)


class _ChannelAttention(nn.Module):
    def __init__(self, heads: int, head_dim: int) -> None:
        super().__init__()
        self.logit_scale = nn.Parameter(torch.full((heads, 1, 1), math.log(10)))
        self.proj = nn.Conv2d(heads * head_dim, heads * head_dim, 1)

    def forward(self, qkv: Tensor, helper: Tensor | None) -> Tensor:
        batch, _, _, height, width = qkv.shape
        q, k, v = qkv.flatten(3).chunk(3, dim=2)
        if helper is not None:
            v = v * helper.mean(dim=1, keepdim=True).flatten(2)[:, None]
        scale = self.logit_scale.clamp(max=math.log(100)).exp()
        scores = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1) * scale
        return self.proj((scores.softmax(dim=-1) @ v).reshape(batch, -1, height, width))


class _FeedForward(nn.Module):
    def __init__(self, dim: int, ratio: float) -> None:
        super().__init__()
        self.hidden = nn.Conv2d(dim, int(dim * ratio), 1)
        self.out = nn.Conv2d(int(dim * ratio), dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(F.gelu(self.hidden(x)))


class _Block(nn.Module):
    def __init__(self, dim: int, heads: int, shift: int, version: int) -> None:
        super().__init__()
        channel_heads, head_dim = max(heads // 4, 1), dim // heads
        self.heads, self.spatial_heads = heads, heads - channel_heads
        self.qkv_proj = nn.Sequential(OrderedDict(qkv=nn.Conv2d(dim, 3 * dim, 1)))
        self.sp_attn = _SpatialAttention(self.spatial_heads, head_dim, shift)
        self.ch_attn = _ChannelAttention(channel_heads, head_dim)
        self.mobivari = _mobivari(version, dim, dim, 1.2, 4)
        self.norm1, self.norm2 = _Norm(dim), _Norm(dim)
        self.ffn = _FeedForward(dim, 2.0)

    def forward(
        self, x: Tensor, spatial: Tensor | None, channel: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        qkv = self.qkv_proj(x).unflatten(1, (self.heads, -1))
        help_spatial, help_channel = channel, spatial
        spatial = self.sp_attn(qkv[:, : self.spatial_heads], help_spatial)
        channel = self.ch_attn(qkv[:, self.spatial_heads :], help_channel)
        mixed = self.mobivari(torch.cat([spatial, channel], dim=1))
        x = x + self.norm1(mixed)
        x = x + self.norm2(self.ffn(x))
        return x, mixed, spatial, channel


class _Stage(nn.Module):
    def __init__(self, dim: int, depth: int, heads: int, version: int, helper: bool) -> None:
        super().__init__()
        self.helper = helper
        self.blocks = nn.Sequential(
            OrderedDict(
                (f"block{i}", _Block(dim, heads, WINDOW // 2 * (i % 2), version))
                for i in range(depth)
            )
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mixed, spatial, channel = x, None, None
        for block in self.blocks:
            help_ = (spatial, channel) if self.helper else (None, None)
            x, mixed, spatial, channel = block(x, *help_)
        return x, mixed


class _Down(nn.Module):
    def __init__(self, dim: int, version: int) -> None:
        super().__init__()
        self.norm = _Norm(4 * dim)
        self.reduction = _mobivari(version, 4 * dim, dim, 1.2, 4)

    def forward(self, x: Tensor) -> Tensor:
        cells = [x[:, :, i::2, j::2] for i in range(2) for j in range(2)]
        return self.reduction(self.norm(torch.cat(cells, dim=1)))


class _Bottleneck(nn.Module):
    def __init__(self, dim: int, version: int, factor: float, groups: int) -> None:
        super().__init__()
        self.mobivari = _mobivari(version, dim + dim // 4 + dim // 16, dim, factor, groups)
        self.norm = _Norm(dim)

    def forward(self, shallow: Tensor, outs: Sequence[Tensor]) -> Tensor:
        parts = []
        for i, out in enumerate(outs):
            parts.append(F.pixel_shuffle(out + F.leaky_relu(shallow), 2**i))
            shallow = F.max_pool2d(shallow, 2)
        return self.norm(self.mobivari(torch.cat(parts, dim=1)))


class _Target(nn.Module):
    def __init__(self, dim: int, out: int, scale: int, version: int) -> None:
        super().__init__()
        self.scale = scale
        self.mobivari = nn.Sequential(
            OrderedDict((f"mobivari{i}", _mobivari(version, dim, dim, 1.2, 4)) for i in range(2))
        )
        self.conv = nn.Conv2d(dim, out * scale**2, 3, padding=1)
        self.final_conv = nn.Conv2d(out, out, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.final_conv(F.pixel_shuffle(self.conv(self.mobivari(x)), self.scale))


class NaiveRAMiT(nn.Module):
    """RAMiT for images whose sides are multiples of 32; arguments as `RAMiT`'s."""

    def __init__(
        self,
        upscale: int = 1,
        in_chans: int = 3,
        dim: int = 64,
        depths: Sequence[int] = (6, 4, 4, 6),
        num_heads: Sequence[int] = (4, 4, 4, 4),
        mv_ver: int = 2,
        bottleneck_exp: float = 1.2,
        bottleneck_groups: int = 4,
        mix_exp: float = 1.2,
        mix_groups: int = 4,
        helper: bool = True,
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
    ) -> None:
        super().__init__()
        self.upscale = upscale
        self.mean, self.std = (torch.tensor(t)[:, None, None] for t in (mean, std))
        self.shallow = nn.Sequential(OrderedDict(conv=nn.Conv2d(in_chans, dim, 3, padding=1)))
        stages = [
            _Stage(dim, depth, heads, mv_ver, helper)
            for depth, heads in zip(depths, num_heads, strict=True)
        ]
        self.stage1, self.stage2, self.stage3, self.stage4 = stages
        self.down1, self.down2 = _Down(dim, mv_ver), _Down(dim, mv_ver)
        self.bottleneck = _Bottleneck(dim, mv_ver, bottleneck_exp, bottleneck_groups)
        mixed = 2 * dim + dim // 4 + dim // 16
        self.attn_mix = nn.Sequential(
            OrderedDict(mobivari=_mobivari(mv_ver, mixed, dim, mix_exp, mix_groups))
        )
        self.to_target = _Target(dim, in_chans, upscale, mv_ver)

    def forward(self, x: Tensor) -> Tensor:
        x = (x - self.mean) / self.std
        shallow = self.shallow(x)
        o1, a1 = self.stage1(shallow)
        o2, a2 = self.stage2(self.down1(o1))
        o3, a3 = self.stage3(self.down2(o2))
        o4, a4 = self.stage4(self.bottleneck(shallow, (o1, o2, o3)))
        parts = [a1, F.pixel_shuffle(a2, 2), F.pixel_shuffle(a3, 4), a4]
        y = self.to_target(o4 * self.attn_mix(torch.cat(parts, dim=1)) + shallow)
        if self.upscale == 1:
            y = y + x
        return y * self.std + self.mean
