"""SemanIR, columnar form, for super-resolution.

Paper: Sharing Key Semantics in Transformer Makes Efficient Image Restoration (SemanIR), NeurIPS
2024,
    arXiv 2405.20008, Figure 2a; earlier as Key-Graph Transformer (KGT), arXiv 2402.02634.
The authors released no code. Sizes follow from the published parameter counts, which this file
meets to the digit: 11.87 / 12.05 / 12.02 M (S, x2 / x3 / x4) and 19.90 / 20.08 / 20.04 M (B). What
the counts cannot decide (place of the norms, form of the score, window, shift) is an argument; the
defaults are our choice.

Legend: B images, C channels, H x W pixels.
"""

from __future__ import annotations

from typing import Annotated

from torch import Tensor, nn

from semanir_arch.modules.norm import ChannelLayerNorm
from semanir_arch.modules.resample import (
    RECONSTRUCTORS,
    PixelShuffleDirect,
    PixelShuffleReconstructor,
)
from semanir_arch.modules.stage import make_stage
from semanir_arch.utils.errors import InputError
from semanir_arch.utils.values import OneOf

from .argument_types import (
    Backend,
    Channels,
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
    Width,
    Window,
)
from .base import KeySemanticNetwork, check_stages, init_linear

__all__ = ["SemanIR"]


class SemanIR(KeySemanticNetwork):
    """Feature extractor, stages that each share one key-semantic dictionary, reconstructor.

    The defaults are the published small model (S) at x2.

    Args:
        upscale: Enlargement: 1 (restoration at the same size), 3 or a power of 2.
        in_chans: Channels in.
        out_chans: Channels out; 0 for as many as in.
        embed_dim: Channels of the body.
        depths: Layers of each stage.
        num_heads: Attention heads of each stage.
        window_size: Side of the windows in pixels.
        mlp_ratio: Hidden channels of the feed-forward per channel.
        k: Keys kept per token; more than a window has means all.
        sim_norm: Similarity of the dictionary: "none" (inner product) or "l2" (cosine).
        shift: "none", or "stage": every second stage has its windows moved by half a window.
        score: Attention scores: "dot" (scaled dot product) or "cosine" (with a learned scale per
            head).
        norm: Place of the LayerNorms in a layer: "pre" or "post".
        bias_dim: Hidden width of the continuous position bias.
        blocks: Residual blocks of two convolutions behind each stage, for all or for each; 0 in the
            paper. A stage with blocks may have no layers.
        reconstructor: "pixelshuffle" (classical), "pixelshuffledirect" (lightweight). With
            `upscale` 1 a single
            convolution takes its place, and the input is added where channels match.
        backend: Implementation of the attention: "auto", or a name in
            `semanir_arch.ops.backend.ATTENTION_BACKENDS`.
        use_checkpoint: Whether to trade time for memory in training: each layer is recomputed in
            the backward pass.

    Raises:
        ValueError: If an argument is not allowed, or `depths` and `num_heads` differ in length.
    """

    def __init__(
        self,
        upscale: Upscale = 2,
        in_chans: Channels = 3,
        out_chans: OutChannels = 0,
        embed_dim: Width = 180,
        depths: Depths = (6, 6, 6, 6, 6, 6),
        num_heads: Heads = (6, 6, 6, 6, 6, 6),
        window_size: Window = 32,
        mlp_ratio: Expansion = 2.0,
        k: Keys = 512,
        sim_norm: SimNorm = "none",
        shift: Shift = "none",
        score: Score = "dot",
        norm: NormPlace = "pre",
        bias_dim: Hidden = 512,
        blocks: ResidualBlocks = 0,
        reconstructor: Annotated[str, OneOf(*RECONSTRUCTORS)] = "pixelshuffle",
        backend: Backend = "auto",
        use_checkpoint: bool = False,
    ) -> None:
        blocks = [blocks] * len(depths) if isinstance(blocks, int) else blocks
        check_stages(shift=shift, depths=depths, blocks=blocks, num_heads=num_heads)
        super().__init__(in_chans, out_chans or in_chans, upscale, size_multiple=window_size)
        self.first = nn.Conv2d(in_chans, embed_dim, 3, padding=1)
        self.norm_in = ChannelLayerNorm(embed_dim)
        self.stages = nn.ModuleList(
            make_stage(
                embed_dim,
                depth,
                heads,
                window_size,
                shifted=shift == "stage" and index % 2 == 1,
                k=k,
                sim_norm=sim_norm,
                mlp_ratio=mlp_ratio,
                score=score,
                norm=norm,
                bias_dim=bias_dim,
                blocks=count,
                backend=backend,
                use_checkpoint=use_checkpoint,
            )
            for index, (depth, heads, count) in enumerate(
                zip(depths, num_heads, blocks, strict=True)
            )
        )
        self.norm_out = ChannelLayerNorm(embed_dim)
        self.body_conv = nn.Conv2d(embed_dim, embed_dim, 3, padding=1)
        self.reconstruct = _make_reconstructor(reconstructor, embed_dim, self.out_chans, upscale)
        self.adds_input = upscale == 1 and self.out_chans == in_chans
        self.apply(init_linear)

    def restore(self, x: Tensor) -> Tensor:
        """Restore images whose sides are multiples of the window; see `forward`."""
        shallow = self.first(x)
        features = self.norm_in(shallow)
        for stage in self.stages:
            features = stage(features)
        out = self.reconstruct(shallow + self.body_conv(self.norm_out(features)))
        return x + out if self.adds_input else out


def _make_reconstructor(kind: str, dim: int, out_chans: int, upscale: int) -> nn.Module:
    if kind not in RECONSTRUCTORS:
        raise InputError(
            f"reconstructor={kind!r} is unknown; allowed: {', '.join(map(repr, RECONSTRUCTORS))}"
        )
    if upscale == 1:
        return nn.Conv2d(dim, out_chans, 3, padding=1)
    if kind == "pixelshuffledirect":
        return PixelShuffleDirect(dim, out_chans, upscale)
    return PixelShuffleReconstructor(dim, out_chans, upscale)
