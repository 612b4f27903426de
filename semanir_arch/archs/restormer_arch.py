"""Restormer: a U-shape whose attention is between channels.

Paper: Restormer: Efficient Transformer for High-Resolution Image Restoration, CVPR 2022,
    arXiv 2111.09881. Written from the paper and from facts about the authors' models; no code of
    theirs was used. Weights have the authors' names, so that their files load.
"""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor, nn

from semanir_arch.modules.channel_attention import TransposedAttention
from semanir_arch.modules.gated_feed_forward import GatedFeedForward
from semanir_arch.modules.norm import BiasFreeChannelNorm, ChannelLayerNorm
from semanir_arch.modules.recompute import RecomputedSequential
from semanir_arch.modules.resample import make_downsampler, make_upsampler
from semanir_arch.modules.state_names import under
from semanir_arch.utils.errors import InputError
from semanir_arch.utils.values import Bounds, Length, OneOf

from .argument_types import Channels, Depth, Depths, Expansion, Heads
from .base import RestorationNetwork, check_counts

__all__ = ["Restormer"]

SCALES = 4

NORMS: dict[str, type[nn.Module]] = {
    "WithBias": ChannelLayerNorm,
    "BiasFree": BiasFreeChannelNorm,
}


class Restormer(RestorationNetwork):
    """Encoder and decoder over four scales, with concatenating skips and a refinement.

    Arguments have the names of the authors' option files. The defaults are the published network
    for deraining, motion deblurring and single-image defocus deblurring.

    Args:
        inp_channels: Channels in: 1 (gray), 3 (RGB), 6 (dual pixel, left image first).
        out_channels: Channels out; the input is added unless `dual_pixel_task`.
        dim: Channels at full resolution; each scale below has twice as many.
        num_blocks: Transformer blocks of each scale, full resolution first; the lowest scale has
            one stage, the others an encoder's and a decoder's.
        num_refinement_blocks: Blocks after the decoder, at full resolution.
        heads: Attention heads at each scale.
        ffn_expansion_factor: Hidden channels of the feed-forward per channel.
        bias: Whether convolutions other than those that change the resolution have biases.
        LayerNorm_type: "WithBias", or "BiasFree" as published for denoising.
        dual_pixel_task: Whether the embedded input is added to the features instead of the input to
            the output.

    Raises:
        ValueError: If an argument is not allowed; names it.
    """

    def __init__(
        self,
        inp_channels: Channels = 3,
        out_channels: Channels = 3,
        dim: Annotated[int, Bounds(1, 1024)] = 48,
        num_blocks: Annotated[Depths, Length(SCALES, SCALES)] = (4, 6, 6, 8),
        num_refinement_blocks: Depth = 4,
        heads: Annotated[Heads, Length(SCALES, SCALES)] = (1, 2, 4, 8),
        ffn_expansion_factor: Expansion = 2.66,
        bias: bool = False,
        LayerNorm_type: Annotated[str, OneOf(*NORMS)] = "WithBias",
        dual_pixel_task: bool = False,
    ) -> None:
        check_counts(SCALES, num_blocks=num_blocks, heads=heads)
        if LayerNorm_type not in NORMS:
            raise InputError(
                f"LayerNorm_type={LayerNorm_type!r} is unknown; "
                f"allowed: {', '.join(map(repr, NORMS))}"
            )
        if inp_channels != out_channels and not dual_pixel_task:
            raise InputError(
                f"inp_channels={inp_channels}, out_channels={out_channels}: must be equal, because "
                "the input is added to the output, unless dual_pixel_task is true"
            )
        super().__init__(inp_channels, out_channels, upscale=1, size_multiple=2 ** (SCALES - 1))
        full, half, quarter, lowest = (dim * 2**scale for scale in range(SCALES))

        def level(scale: int, width: int, depth: int) -> RecomputedSequential:
            norm = NORMS[LayerNorm_type]
            return RecomputedSequential(
                *(
                    _Block(width, heads[scale], ffn_expansion_factor, bias, norm)
                    for _ in range(depth)
                )
            )

        self.patch_embed = under("proj", nn.Conv2d(inp_channels, full, 3, padding=1, bias=bias))
        self.encoder_level1 = level(0, full, num_blocks[0])
        self.down1_2 = under("body", make_downsampler("unshuffle", full, half))
        self.encoder_level2 = level(1, half, num_blocks[1])
        self.down2_3 = under("body", make_downsampler("unshuffle", half, quarter))
        self.encoder_level3 = level(2, quarter, num_blocks[2])
        self.down3_4 = under("body", make_downsampler("unshuffle", quarter, lowest))
        self.latent = level(3, lowest, num_blocks[3])
        self.up4_3 = under("body", make_upsampler("shuffle", lowest, quarter))
        self.reduce_chan_level3 = nn.Conv2d(lowest, quarter, 1, bias=bias)
        self.decoder_level3 = level(2, quarter, num_blocks[2])
        self.up3_2 = under("body", make_upsampler("shuffle", quarter, half))
        self.reduce_chan_level2 = nn.Conv2d(quarter, half, 1, bias=bias)
        self.decoder_level2 = level(1, half, num_blocks[1])
        # at full resolution the concatenated features keep their double width
        self.up2_1 = under("body", make_upsampler("shuffle", half, full))
        self.decoder_level1 = level(0, half, num_blocks[0])
        self.refinement = level(0, half, num_refinement_blocks)
        self.skip_conv = nn.Conv2d(full, half, 1, bias=bias) if dual_pixel_task else None
        self.output = nn.Conv2d(half, out_channels, 3, padding=1, bias=bias)

    def restore(self, x: Tensor) -> Tensor:
        """Restore images whose sides are multiples of 8; see `forward`."""
        embedded = self.patch_embed(x)
        skip1 = self.encoder_level1(embedded)
        skip2 = self.encoder_level2(self.down1_2(skip1))
        skip3 = self.encoder_level3(self.down2_3(skip2))
        features = self.latent(self.down3_4(skip3))
        features = self.reduce_chan_level3(torch.cat((self.up4_3(features), skip3), dim=1))
        features = self.decoder_level3(features)
        features = self.reduce_chan_level2(torch.cat((self.up3_2(features), skip2), dim=1))
        features = self.decoder_level2(features)
        features = self.decoder_level1(torch.cat((self.up2_1(features), skip1), dim=1))
        features = self.refinement(features)
        if self.skip_conv is not None:
            return self.output(features + self.skip_conv(embedded))
        return self.output(features) + x


class _Block(nn.Module):
    def __init__(
        self, dim: int, num_heads: int, ratio: float, bias: bool, norm: type[nn.Module]
    ) -> None:
        super().__init__()
        self.norm1 = under("body", norm(dim))
        self.attn = TransposedAttention(dim, num_heads, bias)
        self.norm2 = under("body", norm(dim))
        self.ffn = GatedFeedForward(dim, ratio, bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H, W)."""
        return self.ffn(self.attn(x, self.norm1), self.norm2)
