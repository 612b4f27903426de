"""Change of resolution inside a U-shape, and the reconstructors at the end of a network."""

from __future__ import annotations

import math

from torch import Tensor, nn

from semanir_arch.utils.errors import InputError

__all__ = [
    "RECONSTRUCTORS",
    "PixelShuffleDirect",
    "PixelShuffleReconstructor",
    "make_downsampler",
    "make_upsampler",
]

RECONSTRUCTORS = ("pixelshuffle", "pixelshuffledirect")

# SwinIR (arXiv 2108.10257): channels of the reconstructor.
_RECONSTRUCTOR_DIM = 64


def make_downsampler(kind: str, in_chans: int, out_chans: int) -> nn.Module:
    """Halve height and width: (B, in_chans, H, W) to (B, out_chans, H / 2, W / 2).

    Args:
        kind: "unshuffle", a 3x3 convolution and pixel-unshuffle (Restormer, arXiv 2111.09881,
            Section 3);
            "strided2" or "strided3", a 2x2 or 3x3 convolution of stride 2.
        in_chans: Channels in.
        out_chans: Channels out; a multiple of 4 for "unshuffle".
    """
    if kind == "unshuffle":
        if out_chans % 4:
            raise InputError(f"downsample='unshuffle' needs widths divisible by 4, got {out_chans}")
        return nn.Sequential(
            nn.Conv2d(in_chans, out_chans // 4, 3, padding=1, bias=False), nn.PixelUnshuffle(2)
        )
    if kind == "strided2":
        return nn.Conv2d(in_chans, out_chans, 2, stride=2, bias=False)
    if kind == "strided3":
        return nn.Conv2d(in_chans, out_chans, 3, stride=2, padding=1, bias=False)
    raise InputError(
        f"downsample={kind!r} is unknown; allowed: 'unshuffle', 'strided2', 'strided3'"
    )


def make_upsampler(kind: str, in_chans: int, out_chans: int) -> nn.Module:
    """Double height and width: (B, in_chans, H, W) to (B, out_chans, 2 H, 2 W).

    Args:
        kind: "shuffle", a 3x3 convolution and pixel-shuffle (Restormer, Section 3); "transposed", a
            2x2 transposed
            convolution of stride 2.
        in_chans: Channels in.
        out_chans: Channels out.
    """
    if kind == "shuffle":
        return nn.Sequential(
            nn.Conv2d(in_chans, 4 * out_chans, 3, padding=1, bias=False), nn.PixelShuffle(2)
        )
    if kind == "transposed":
        return nn.ConvTranspose2d(in_chans, out_chans, 2, stride=2, bias=False)
    raise InputError(f"upsample={kind!r} is unknown; allowed: 'shuffle', 'transposed'")


class PixelShuffleReconstructor(nn.Module):
    """SwinIR's reconstructor for classical super-resolution: enlarge features, then convert.

    Args:
        dim: Channels of the features.
        out_chans: Channels of the image.
        upscale: A power of 2, or 3.
    """

    def __init__(self, dim: int, out_chans: int, upscale: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(dim, _RECONSTRUCTOR_DIM, 3, padding=1)
        self.activation = nn.LeakyReLU(inplace=True)
        self.upsample = nn.Sequential(*_enlargements(upscale, _RECONSTRUCTOR_DIM))
        self.last = nn.Conv2d(_RECONSTRUCTOR_DIM, out_chans, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, dim, H, W) to (B, out_chans, upscale * H, upscale * W)."""
        return self.last(self.upsample(self.activation(self.conv(x))))


class PixelShuffleDirect(nn.Sequential):
    """SwinIR's reconstructor for lightweight super-resolution: convolution and pixel-shuffle.

    Args:
        dim: Channels of the features.
        out_chans: Channels of the image.
        upscale: Enlargement, any factor.
    """

    def __init__(self, dim: int, out_chans: int, upscale: int) -> None:
        super().__init__(
            nn.Conv2d(dim, out_chans * upscale**2, 3, padding=1), nn.PixelShuffle(upscale)
        )


def _enlargements(upscale: int, dim: int) -> list[nn.Module]:
    if upscale == 3:
        factors = [3]
    elif upscale >= 2 and math.log2(upscale).is_integer():
        factors = [2] * int(math.log2(upscale))
    else:
        raise InputError(
            f"upscale={upscale} is not possible with 'pixelshuffle'; allowed: 3 and powers of 2"
        )
    layers: list[nn.Module] = []
    for factor in factors:
        layers += [nn.Conv2d(dim, dim * factor**2, 3, padding=1), nn.PixelShuffle(factor)]
    return layers
