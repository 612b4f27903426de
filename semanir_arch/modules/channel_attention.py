"""Attention between channels: the scores compare whole feature maps, and no pixel sees another.

Restormer (arXiv 2111.09881), Section 3.1, there "multi-Dconv head transposed attention"; RAMiT
(arXiv 2305.11474) has heads of the same kind.

Legend: B images, C channels in h heads of d, H x W pixels, P = H W.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semanir_arch.ops.autocast import cast_once, without_autocast
from semanir_arch.utils.errors import InputError

from .bands import Band, row_bands

__all__ = ["TransposedAttention", "attend_channels"]

_SMALLEST_NORM = 1e-12

Project = Callable[[Band], tuple[Tensor, Tensor, Tensor]]


def attend_channels(
    x: Tensor,
    project: Project,
    scale: Tensor,
    output: nn.Conv2d,
    *,
    reach: int = 0,
    residual: bool = False,
) -> Tensor:
    """Let the channels of each head attend to each other by the cosine of their maps.

    Args:
        x: Shape (B, any number of channels, H, W).
        project: Function that returns queries, keys and values of a band of `x`, shape (B, C, rows
            of `band.reach`, W).
        scale: Factor of the cosines, shape (h, 1, 1).
        output: 1x1 convolution from the heads' results to the attention's.
        reach: Number of rows above and below that a row of queries, keys and values depends on.
        residual: Whether to add `x`.

    Returns:
        Shape (B, C, H, W).
    """
    products = _Products(scale.shape[0])
    values = []
    for band in row_bands(x, reach):
        q, k, v = (t[:, :, band.inner] for t in project(band))
        products.add(q, k)
        values.append((band.rows, v))
    matrix = _output_matrix((products.cosines() * scale).softmax(dim=-1), output.weight)
    if len(values) == 1:
        return _apply(matrix, output.bias, values[0][1], x if residual else None)
    shape = (x.shape[0], output.out_channels, *x.shape[2:])
    out = torch.empty(shape, dtype=values[0][1].dtype, memory_format=torch.channels_last)
    for rows, v in values:
        out[:, :, rows] = _apply(matrix, output.bias, v, x[:, :, rows] if residual else None)
    return out


class TransposedAttention(nn.Module):
    """Channel attention whose queries, keys and values see the 3x3 pixels around them.

    Args:
        dim: Channels, C.
        num_heads: Attention heads; must divide C.
        bias: Whether the convolutions have biases.
    """

    def __init__(self, dim: int, num_heads: int, bias: bool = False) -> None:
        super().__init__()
        if dim % num_heads:
            raise InputError(f"heads={num_heads} must divide the {dim} channels")
        self.temperature = nn.Parameter(torch.ones(num_heads, 1, 1))
        self.qkv = nn.Conv2d(dim, 3 * dim, 1, bias=bias)
        self.qkv_dwconv = nn.Conv2d(3 * dim, 3 * dim, 3, padding=1, groups=3 * dim, bias=bias)
        self.project_out = nn.Conv2d(dim, dim, 1, bias=bias)

    def forward(self, x: Tensor, norm: nn.Module) -> Tensor:
        """Compute x + attention(norm(x)).

        Args:
            x: Shape (B, C, H, W).
            norm: Maps each pixel for itself.

        Returns:
            Shape (B, C, H, W).
        """
        dim = x.shape[1]
        # values apart, so that they do not keep queries and keys in memory
        queries_and_keys, values = self._layers(0, 2 * dim), self._layers(2 * dim, 3 * dim)

        def project(band: Band) -> tuple[Tensor, Tensor, Tensor]:
            normed = norm(x[:, :, band.reach])
            q, k = _project(normed, queries_and_keys).chunk(2, dim=1)
            return q, k, _project(normed, values)

        return attend_channels(
            x, project, self.temperature, self.project_out, reach=1, residual=True
        )

    def _layers(self, start: int, stop: int) -> list[tuple[Tensor, Tensor | None]]:
        """Weights and biases that make channels `start` to `stop` of queries, keys and values."""
        return [
            (
                cast_once(layer.weight[start:stop]),
                cast_once(None if layer.bias is None else layer.bias[start:stop]),
            )
            for layer in (self.qkv, self.qkv_dwconv)
        ]


def _project(x: Tensor, layers: list[tuple[Tensor, Tensor | None]]) -> Tensor:
    point, depth = layers
    return F.conv2d(F.conv2d(x, *point), *depth, padding=1, groups=depth[0].shape[0])


class _Products:
    """Sums over pixels from which the cosine of every query channel with every key channel follows.

    Normalizing the sums gives what normalizing queries and keys first would give, without writing
    them again.
    """

    def __init__(self, num_heads: int) -> None:
        self.num_heads = num_heads
        self.sums: list[Tensor] | None = None

    def add(self, q: Tensor, k: Tensor) -> None:
        """Take in queries and keys (B, C, any number of pixels in two dimensions)."""
        if q.dtype == torch.float16:
            # sums over pixels exceed its range
            q, k = q.float(), k.float()
        q, k = (t.flatten(2).unflatten(1, (self.num_heads, -1)) for t in (q, k))
        wide = torch.promote_types(q.dtype, torch.float32)
        with without_autocast(q.device.type):
            dot = (q @ k.transpose(-2, -1)).to(wide)
        sums = [dot, *(t.square().sum(dim=-1, dtype=wide) for t in (q, k))]
        if self.sums is not None:
            sums = [new + old for new, old in zip(sums, self.sums, strict=True)]
        self.sums = sums

    def cosines(self) -> Tensor:
        """The cosines [query channel, key channel], shape (B, h, d, d), float32 or wider."""
        assert self.sums is not None
        dot, *squares = self.sums
        q_norm, k_norm = (square.sqrt().clamp(min=_SMALLEST_NORM) for square in squares)
        return dot / q_norm.unsqueeze(-1) / k_norm.unsqueeze(-2)


def _output_matrix(attention: Tensor, weight: Tensor) -> Tensor:
    """Join attention (B, h, d, d) and output weight (O, C, 1, 1) to one matrix, (B, O, C)."""
    by_head = weight.flatten(1).unflatten(1, (attention.shape[1], -1)).to(attention.dtype)
    with without_autocast(attention.device.type):
        return torch.einsum("ohd,bhde->bohe", by_head, attention).flatten(2)


def _apply(matrix: Tensor, bias: Tensor | None, v: Tensor, residual: Tensor | None) -> Tensor:
    """Map each pixel of (B, C, h, W) by a matrix (B, O, C) per image."""
    pixels = v.flatten(2).transpose(1, 2) @ matrix.to(v.dtype).transpose(1, 2)
    if bias is not None:
        pixels = pixels + bias
    out = pixels.transpose(1, 2).unflatten(2, v.shape[2:])
    return out if residual is None else residual + out
