"""RAMiT: windows and channels attend side by side and help each other.

Paper: Reciprocal Attention Mixing Transformer for Lightweight Image Restoration, CVPR Workshops
    2024, arXiv 2305.11474. Written from the paper and from facts about the authors' models; no code
    of theirs was used. Weights have the authors' names, and their files load.

Legend: B images, C channels, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semanir_arch.modules.mobivari import make_mobivari
from semanir_arch.modules.norm import ChannelLayerNorm
from semanir_arch.modules.reciprocal import ReciprocalStage
from semanir_arch.modules.state_names import numbered, under
from semanir_arch.modules.window import window_partition
from semanir_arch.tasks import TASKS, find_task
from semanir_arch.utils.errors import InputError
from semanir_arch.utils.values import Bounds, Length, OneOf

from .argument_types import Channels, Depths, Expansion, Groups, Heads, Window
from .base import RestorationNetwork, check_counts

__all__ = ["RAMIT_PRESETS", "RAMIT_TASKS", "RAMiT", "RAMiTTask"]


class RAMiTTask(NamedTuple):
    """Facts that the authors' models of a task share.

    Args:
        upscale: Enlargement.
        mean: Mean subtracted from images in [0, 1], per channel; empty for nothing.
        std: Standard deviations by which the channels are divided afterwards.
        helper: Whether each block's attention helps that of the next.
    """

    upscale: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    helper: bool


_DIV2K = (0.4485, 0.4375, 0.4045)

RAMIT_TASKS: dict[str, RAMiTTask] = {
    "sr_x2": RAMiTTask(2, _DIV2K, (0.2397, 0.2290, 0.2389), helper=True),
    "sr_x3": RAMiTTask(3, _DIV2K, (0.2373, 0.2265, 0.2367), helper=True),
    "sr_x4": RAMiTTask(4, _DIV2K, (0.2352, 0.2244, 0.2349), helper=True),
    "denoise": RAMiTTask(1, (0.4775, 0.4515, 0.4047), (0.2442, 0.2367, 0.2457), helper=False),
    "denoise_gray": RAMiTTask(1, (0.4539,), (0.2326,), helper=False),
    "real_denoise": RAMiTTask(1, (), (), helper=False),
    "lowlight": RAMiTTask(1, (0.1687, 0.1599, 0.1526), (0.1142, 0.1094, 0.1094), helper=True),
    "derain": RAMiTTask(1, (0.5110, 0.5105, 0.4877), (0.2313, 0.2317, 0.2397), helper=False),
}
"""Settings by task: statistics of the authors' training images, and settings that leave no trace in
the weights.

For real denoising nothing is released: no helper, as in the other denoising, is our choice.
"""

_WORDS = (*RAMIT_TASKS, *(alias for name in RAMIT_TASKS for alias in TASKS[name].aliases))
"""Names that an option file may give them."""

RAMIT_PRESETS: dict[str, dict[str, Any]] = {
    "RAMiT": {},
    "RAMiT-1": {"mobivari": 1},
    "RAMiT-slimSR": {
        "embed_dim": 48,
        "depths": (8, 2, 2, 8),
        "bottleneck_expansion": 2.0,
        "bottleneck_groups": 1,
        "mix_expansion": 2.0,
        "mix_groups": 1,
    },
    "RAMiT-slimLLE": {
        "embed_dim": 48,
        "depths": (4, 2, 2, 4),
        "bottleneck_groups": 3,
        "mix_groups": 3,
    },
}
"""Arguments of the published networks, beside `task` and `in_chans`.

Published are RAMiT for all tasks but real denoising, RAMiT-1 for super-resolution and color
denoising, slimSR for super-resolution, slimLLE for low light.
"""


class RAMiT(RestorationNetwork):
    """A U-shape of constant width, whose shallow and deep features meet at full resolution.

    Of every four heads of a block three attend within windows and one between channels. The
    defaults are the published RAMiT for super-resolution x2.

    Args:
        task: Task name, a key of `RAMIT_TASKS`, or another word for it, such as the authors'
            "denoising_color"; sets the enlargement and how images are normalized.
        in_chans: Channels in and out; those of the task, any for "real_denoise".
        embed_dim: Channels of the body; a multiple of 16.
        depths: Blocks of the stages: at full, half and quarter resolution, and at full again.
        num_heads: Attention heads of each stage, 2 or more.
        window_size: Side of the windows in pixels.
        mlp_ratio: Hidden channels of the feed-forward per channel.
        mobivari: Version of the MobiVari, 1 or 2; see `semanir_arch.modules.mobivari`.
        bottleneck_expansion: Hidden channels per channel of the MobiVari (version 2) that joins the
            first three stages.
        bottleneck_groups: Groups of its first convolution.
        mix_expansion: Hidden width of the MobiVari that joins the attention of all stages, in
            multiples of its input's.
        mix_groups: Groups of its first convolution.
        helper: Whether each block's attention helps that of the next; None for the task's own.

    Raises:
        ValueError: If an argument is not allowed; names it.
    """

    mean: Tensor
    std: Tensor
    padding_mode = "symmetric"

    def __init__(
        self,
        task: Annotated[str, OneOf(*_WORDS)] = "sr_x2",
        in_chans: Channels = 3,
        embed_dim: Annotated[int, Bounds(16, 1024, multiple_of=16)] = 64,
        depths: Annotated[Depths, Length(4, 4)] = (6, 4, 4, 6),
        num_heads: Annotated[Heads, Length(4, 4)] = (4, 4, 4, 4),
        window_size: Window = 8,
        mlp_ratio: Expansion = 2.0,
        mobivari: Annotated[int, OneOf(1, 2)] = 2,
        bottleneck_expansion: Expansion = 1.2,
        bottleneck_groups: Groups = 4,
        mix_expansion: Expansion = 1.2,
        mix_groups: Groups = 4,
        helper: bool | None = None,
    ) -> None:
        settings = _check(task, in_chans, embed_dim)
        check_counts(4, depths=depths, num_heads=num_heads)
        super().__init__(in_chans, in_chans, settings.upscale, size_multiple=4 * window_size)
        for name, values, neutral in (("mean", settings.mean, 0.0), ("std", settings.std, 1.0)):
            statistic = torch.tensor(values or (neutral,)).view(1, -1, 1, 1)
            self.register_buffer(name, statistic, persistent=False)

        def stage(index: int) -> ReciprocalStage:
            return ReciprocalStage(
                embed_dim,
                depths[index],
                num_heads[index],
                window_size,
                helper=settings.helper if helper is None else helper,
                mlp_ratio=mlp_ratio,
                mobivari=mobivari,
            )

        self.shallow = under("conv", nn.Conv2d(in_chans, embed_dim, 3, padding=1))
        self.stage1 = stage(0)
        self.down1 = _Downsampler(embed_dim, mobivari)
        self.stage2 = stage(1)
        self.down2 = _Downsampler(embed_dim, mobivari)
        self.stage3 = stage(2)
        self.bottleneck = _Bottleneck(embed_dim, mobivari, bottleneck_expansion, bottleneck_groups)
        self.stage4 = stage(3)
        joined = 2 * embed_dim + embed_dim // 4 + embed_dim // 16
        self.attn_mix = under(
            "mobivari", make_mobivari(mobivari, joined, embed_dim, mix_expansion, mix_groups)
        )
        self.to_target = _Reconstructor(embed_dim, in_chans, self.upscale, mobivari)

    def restore(self, x: Tensor) -> Tensor:
        """Restore images whose sides are multiples of `size_multiple`; see `forward`."""
        x = (x - self.mean) / self.std
        shallow = self.shallow(x)
        out1, mixed1 = self.stage1(shallow)
        out2, mixed2 = self.stage2(self.down1(out1))
        out3, mixed3 = self.stage3(self.down2(out2))
        out4, mixed4 = self.stage4(self.bottleneck(shallow, (out1, out2, out3)))
        attention = (mixed1, F.pixel_shuffle(mixed2, 2), F.pixel_shuffle(mixed3, 4), mixed4)
        out = self.to_target(out4 * self.attn_mix(torch.cat(attention, dim=1)) + shallow)
        if self.upscale == 1:
            out = out + x
        return out * self.std + self.mean


def _check(task: str, in_chans: int, embed_dim: int) -> RAMiTTask:
    found = find_task(task)
    if found is None or found.name not in RAMIT_TASKS:
        raise InputError(f"task={task!r} is unknown; allowed: {', '.join(map(repr, RAMIT_TASKS))}")
    settings = RAMIT_TASKS[found.name]
    if settings.mean and in_chans != len(settings.mean):
        raise InputError(
            f"in_chans={in_chans}: images of task {task!r} have {len(settings.mean)} channels"
        )
    if embed_dim < 16 or embed_dim % 16:
        raise InputError(f"embed_dim={embed_dim} must be a multiple of 16")
    return settings


class _Downsampler(nn.Module):
    def __init__(self, dim: int, mobivari: int) -> None:
        super().__init__()
        self.norm = under("norm", ChannelLayerNorm(4 * dim))
        self.reduction = make_mobivari(mobivari, 4 * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H / 2, W / 2)."""
        # pixel-unshuffle would order by channel, then by corner; the weights want the reverse
        batch, dim, height, width = x.shape
        cells = window_partition(x, 2).view(batch, height // 2, width // 2, 4 * dim)
        return self.reduction(self.norm(cells.permute(0, 3, 1, 2)))


class _Bottleneck(nn.Module):
    def __init__(self, dim: int, mobivari: int, expansion: float, groups: int) -> None:
        super().__init__()
        self.mobivari = make_mobivari(mobivari, dim + dim // 4 + dim // 16, dim, expansion, groups)
        self.norm = under("norm", ChannelLayerNorm(dim))

    def forward(self, shallow: Tensor, outs: Sequence[Tensor]) -> Tensor:
        """Bring features of full, half and quarter resolution to full: (B, C, H, W)."""
        parts = []
        for index, out in enumerate(outs):
            parts.append(F.pixel_shuffle(out + F.leaky_relu(shallow), 2**index))
            shallow = F.max_pool2d(shallow, 2)
        return self.norm(self.mobivari(torch.cat(parts, dim=1)))


class _Reconstructor(nn.Module):
    def __init__(self, dim: int, out_chans: int, upscale: int, mobivari: int) -> None:
        super().__init__()
        self.mobivari = numbered("mobivari", (make_mobivari(mobivari, dim, dim) for _ in range(2)))
        self.conv = nn.Conv2d(dim, out_chans * upscale**2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(upscale)
        self.final_conv = nn.Conv2d(out_chans, out_chans, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, out_chans, upscale * H, upscale * W)."""
        return self.final_conv(self.shuffle(self.conv(self.mobivari(x))))
