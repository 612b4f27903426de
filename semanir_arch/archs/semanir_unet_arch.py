"""SemanIR, U-shape, for every task at constant size.

Paper: Sharing Key Semantics in Transformer Makes Efficient Image Restoration (SemanIR), NeurIPS
2024,
    arXiv 2405.20008, Figure 7; earlier as Key-Graph Transformer (KGT), arXiv 2402.02634.
The authors released no code and the readable sources do not give the widths. The default is one of
the layouts that meet the published 25.82 M parameters; its samplers and skips follow Restormer
(arXiv 2111.09881, Section 3), the network beside it in the paper's tables. Other layouts are
arguments away.

Legend: B images, C channels, H x W pixels, S scales; scale s has H / 2^s x W / 2^s pixels.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Annotated

import torch
from torch import Tensor, nn

from semanir_arch.modules.resample import make_downsampler, make_upsampler
from semanir_arch.modules.stage import make_stage
from semanir_arch.utils.errors import InputError
from semanir_arch.utils.values import OneOf

from .argument_types import (
    Backend,
    Channels,
    Depth,
    Depths,
    Expansion,
    Heads,
    Hidden,
    Keys,
    NormPlace,
    OutChannels,
    ResidualBlocks,
    Score,
    Shift,
    SimNorm,
    Upscale,
    Widths,
    Window,
    Windows,
)
from .base import KeySemanticNetwork, check_stages, init_linear

__all__ = ["SemanIRUNet"]


class SemanIRUNet(KeySemanticNetwork):
    """Encoder and decoder of SemanIR stages over several scales, with concatenating skips.

    At the top scale the concatenated features keep their double width, through the decoder's and
    the final stage.

    Args:
        in_chans: Channels in: 1 (gray), 3 (RGB), 4 (packed Bayer mosaic), 6 (dual pixel).
        out_chans: Channels out; 0 for as many as in.
        widths: Channels of each scale, full resolution first.
        depths: Layers of the stages of each scale; the lowest scale has one stage, the others an
            encoder's and a
            decoder's.
        num_heads: Attention heads at each scale.
        window_size: Side of the windows in pixels, at each scale or one for all.
        final_depth: Layers of the final stage at full resolution; 0 for none.
        mlp_ratio: Hidden channels of the feed-forward per channel.
        downsample: "unshuffle", "strided2" or "strided3"; see `semanir_arch.modules.resample`.
        upsample: "shuffle" or "transposed".
        k: Keys kept per token; more than a window has means all.
        sim_norm: Similarity of the dictionary: "none" (inner product) or "l2" (cosine).
        shift: "none", or "stage": every second stage has its windows moved by half a window.
        score: Attention scores: "dot" (scaled dot product) or "cosine" (with a learned scale per
            head).
        norm: Place of the LayerNorms in a layer: "pre" or "post".
        bias_dim: Hidden width of the continuous position bias.
        blocks: Residual blocks of two convolutions behind each stage of a scale, for all scales or
            for each; 0 in the paper. Stages with blocks may have no layers.
        unshuffle: Side of the squares of pixels that become channels before the network and pixels
            again behind it, as in FFDNet (arXiv 1710.04026); 1, as in the paper, leaves them.
        backend: Implementation of the attention: "auto", or a name in
            `semanir_arch.ops.backend.ATTENTION_BACKENDS`.
        use_checkpoint: Whether to trade time for memory in training: each layer is recomputed in
            the backward pass.

    Raises:
        ValueError: If an argument is not allowed, or the lists differ in length.
    """

    def __init__(
        self,
        in_chans: Channels = 3,
        out_chans: OutChannels = 0,
        widths: Widths = (56, 112, 224, 448),
        depths: Depths = (6, 6, 6, 6),
        num_heads: Heads = (4, 8, 16, 32),
        window_size: Window | Windows = (32, 32, 32, 16),
        final_depth: Depth = 6,
        mlp_ratio: Expansion = 2.0,
        downsample: Annotated[str, OneOf("unshuffle", "strided2", "strided3")] = "unshuffle",
        upsample: Annotated[str, OneOf("shuffle", "transposed")] = "shuffle",
        k: Keys = 512,
        sim_norm: SimNorm = "none",
        shift: Shift = "none",
        score: Score = "dot",
        norm: NormPlace = "pre",
        bias_dim: Hidden = 512,
        blocks: ResidualBlocks = 0,
        unshuffle: Upscale = 1,
        backend: Backend = "auto",
        use_checkpoint: bool = False,
    ) -> None:
        windows, blocks = (_each(value, len(widths)) for value in (window_size, blocks))
        sizes = {"widths": widths, "num_heads": num_heads, "window_size": windows}
        check_stages(shift=shift, depths=depths, blocks=blocks, **sizes)
        if unshuffle < 1:
            raise InputError(f"unshuffle={unshuffle} must be at least 1")
        multiple = unshuffle * _size_multiple(windows, [depths[0] + final_depth, *depths[1:]])
        super().__init__(in_chans, out_chans or in_chans, upscale=1, size_multiple=multiple)
        # Stages in the order in which an image meets them, so that shifted and unshifted ones
        # alternate.
        position = itertools.count()

        def stage(dim: int, depth: int, scale: int) -> nn.Module:
            return make_stage(
                dim,
                depth,
                num_heads[scale],
                windows[scale],
                shifted=shift == "stage" and depth > 0 and next(position) % 2 == 1,
                k=k,
                sim_norm=sim_norm,
                mlp_ratio=mlp_ratio,
                score=score,
                norm=norm,
                bias_dim=bias_dim,
                blocks=blocks[scale],
                backend=backend,
                use_checkpoint=use_checkpoint,
            )

        lowest = len(widths) - 1
        top_width = 2 * widths[0] if lowest else widths[0]
        self.fold = nn.PixelUnshuffle(unshuffle) if unshuffle > 1 else nn.Identity()
        self.unfold = nn.PixelShuffle(unshuffle) if unshuffle > 1 else nn.Identity()
        self.first = nn.Conv2d(in_chans * unshuffle**2, widths[0], 3, padding=1)
        self.encoders = nn.ModuleList(stage(widths[s], depths[s], s) for s in range(lowest))
        self.downsamplers = nn.ModuleList(
            make_downsampler(downsample, widths[s], widths[s + 1]) for s in range(lowest)
        )
        self.latent = stage(widths[lowest], depths[lowest], lowest)
        # Decoder parts are listed from the lowest scale up.
        self.upsamplers = nn.ModuleList(
            make_upsampler(upsample, widths[s + 1], widths[s]) for s in reversed(range(lowest))
        )
        self.reducers = nn.ModuleList(
            nn.Conv2d(2 * widths[s], widths[s], 1, bias=False) if s else nn.Identity()
            for s in reversed(range(lowest))
        )
        self.decoders = nn.ModuleList(
            stage(widths[s] if s else top_width, depths[s], s) for s in reversed(range(lowest))
        )
        self.final = stage(top_width, final_depth, 0) if final_depth else nn.Identity()
        self.last = nn.Conv2d(top_width, self.out_chans * unshuffle**2, 3, padding=1)
        self.adds_input = self.out_chans == in_chans
        self.apply(init_linear)

    def restore(self, x: Tensor) -> Tensor:
        """Restore images whose sides are multiples of `size_multiple`; see `forward`."""
        features = self.first(self.fold(x))
        skips = []
        for encoder, downsample in zip(self.encoders, self.downsamplers, strict=True):
            features = encoder(features)
            skips.append(features)
            features = downsample(features)
        features = self.latent(features)
        for upsample, reduce, decoder in zip(
            self.upsamplers, self.reducers, self.decoders, strict=True
        ):
            features = reduce(torch.cat((upsample(features), skips.pop()), dim=1))
            features = decoder(features)
        out = self.unfold(self.last(self.final(features)))
        return x + out if self.adds_input else out


def _each(value: int | Sequence[int], count: int) -> list[int]:
    """One number for all scales, or one for each."""
    return [value] * count if isinstance(value, int) else list(value)


def _size_multiple(windows: Sequence[int], depths: Sequence[int]) -> int:
    """Pixels of the upper scale that all scales can halve and cut into windows."""
    # without layers there are no windows, but there is a scale
    sides = (side if depth else 1 for side, depth in zip(windows, depths, strict=True))
    return math.lcm(*(side * 2**scale for scale, side in enumerate(sides)))
