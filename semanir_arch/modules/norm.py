"""Normalization of image-shaped features."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["BiasFreeChannelNorm", "ChannelLayerNorm"]


class ChannelLayerNorm(nn.LayerNorm):
    """LayerNorm over the channels of each pixel."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H, W)."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class BiasFreeChannelNorm(nn.Module):
    """Divides each pixel by the standard deviation of its channels, but keeps their mean.

    From Restormer's code for denoising; the paper (arXiv 2111.09881) only calls it bias-free.

    Args:
        dim: Channels, C.
        eps: Constant added to the variance.
    """

    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H, W)."""
        if not torch.is_grad_enabled():
            return self._map_fused(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        pixels = x.permute(0, 2, 3, 1).to(torch.promote_types(x.dtype, torch.float32))
        centred = pixels - pixels.mean(-1, keepdim=True)
        # one pass over memory, where torch.var takes several times as long on CPUs
        variance = torch.linalg.vector_norm(centred, dim=-1, keepdim=True).square() / x.shape[1]
        out = pixels * (variance + self.eps).rsqrt() * self.weight
        return out.to(x.dtype).permute(0, 3, 1, 2)

    def _map_fused(self, pixels: Tensor) -> Tensor:
        """Map by a fused LayerNorm, which subtracts the mean; the mean is then added again."""
        normed, mean, scale = torch.native_layer_norm(
            pixels, (pixels.shape[-1],), self.weight, None, self.eps
        )
        return torch.addcmul(normed, (mean * scale).to(normed.dtype), self.weight.to(normed.dtype))
