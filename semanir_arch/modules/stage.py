"""A SemanIR stage: one key-semantic dictionary, and transformer layers that share it.

SemanIR (arXiv 2405.20008), Section 3, Figures 2a and 2b.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from semanir_arch.ops import KeySemanticDictionary, key_semantic_dictionary
from semanir_arch.utils.errors import InputError

from .attention import KeySemanticAttention
from .feed_forward import FeedForward
from .recompute import RecomputedSequential, call
from .residual_block import ResidualBlock
from .window import region_labels, window_partition, window_reverse

__all__ = ["KeySemanticLayer", "KeySemanticStage", "make_stage"]

NORM_PLACES = ("pre", "post")


class KeySemanticLayer(nn.Module):
    """Attention and feed-forward, each with a skip and a LayerNorm.

    Args:
        dim: Channels, C.
        num_heads: Attention heads.
        window_size: Side of the windows in pixels.
        mlp_ratio: Hidden channels of the feed-forward per channel.
        score: "dot" or "cosine"; see `KeySemanticAttention`.
        norm: "pre" normalizes what enters attention and feed-forward, "post" what leaves them.
        bias_dim: Hidden width of the position bias.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        window_size: int,
        mlp_ratio: float = 2.0,
        score: str = "dot",
        norm: str = "pre",
        bias_dim: int = 512,
    ) -> None:
        super().__init__()
        if norm not in NORM_PLACES:
            raise InputError(
                f"norm={norm!r} is unknown; allowed: {', '.join(map(repr, NORM_PLACES))}"
            )
        self.pre_norm = norm == "pre"
        self.norm1 = nn.LayerNorm(dim)
        self.attention = KeySemanticAttention(dim, num_heads, window_size, score, bias_dim)
        self.norm2 = nn.LayerNorm(dim)
        self.feed_forward = FeedForward(dim, mlp_ratio)

    def forward(
        self, x: Tensor, dictionary: KeySemanticDictionary, backend: str = "auto"
    ) -> Tensor:
        """Map windows (nW, N, C) to (nW, N, C)."""
        if self.pre_norm:
            x = x + self.attention(self.norm1(x), dictionary, backend)
            return x + self.feed_forward(self.norm2(x))
        x = x + self.norm1(self.attention(x, dictionary, backend))
        return x + self.norm2(self.feed_forward(x))


class KeySemanticStage(nn.Module):
    """Layers that share one dictionary, then a convolution, and a skip around both.

    The windows are cut once: nothing but the convolution mixes them.

    Args:
        dim: Channels, C.
        depth: Number of layers.
        num_heads: Attention heads.
        window_size: Side of the windows in pixels.
        shifted: Whether the image is rolled by half a window first, so that the windows straddle
            those of the
            stages before and after.
        k: Keys kept per token; more than a window has means all.
        sim_norm: Similarity of the dictionary; see `semanir_arch.ops.key_semantic_dictionary`.
        mlp_ratio: Hidden channels of the feed-forward per channel.
        score: "dot" or "cosine".
        norm: "pre" or "post".
        bias_dim: Hidden width of the position bias.
        backend: Implementation of the attention.
        use_checkpoint: Recompute each layer in the backward pass instead of keeping its
            activations.
    """

    def __init__(
        self,
        dim: int,
        depth: int,
        num_heads: int,
        window_size: int,
        *,
        shifted: bool = False,
        k: int = 512,
        sim_norm: str = "none",
        mlp_ratio: float = 2.0,
        score: str = "dot",
        norm: str = "pre",
        bias_dim: int = 512,
        backend: str = "auto",
        use_checkpoint: bool = False,
    ) -> None:
        super().__init__()
        self.window_size = window_size
        self.shift = window_size // 2 if shifted else 0
        self.k = k
        self.sim_norm = sim_norm
        self.backend = backend
        self.use_checkpoint = use_checkpoint
        self.layers = nn.ModuleList(
            KeySemanticLayer(dim, num_heads, window_size, mlp_ratio, score, norm, bias_dim)
            for _ in range(depth)
        )
        self.conv = nn.Conv2d(dim, dim, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H, W); H and W multiples of the window size."""
        height, width = x.shape[-2:]
        shifts = self.roll(height, width)
        rolled = torch.roll(x, shifts, (2, 3)) if any(shifts) else x
        windows = window_partition(rolled, self.window_size)
        dictionary = self.build_dictionary(windows, height, width, shifts)
        for layer in self.layers:
            windows = call(layer, windows, dictionary, self.backend, recompute=self.use_checkpoint)
        out = window_reverse(windows, self.window_size, x.shape[0], height, width)
        if any(shifts):
            out = torch.roll(out, tuple(-shift for shift in shifts), (2, 3))
        return x + self.conv(out)

    def roll(self, height: int, width: int) -> tuple[int, int]:
        """Pixels by which images of H x W are rolled before they are cut into windows; 0 or less.

        A dimension that is one window wide has nothing to straddle.
        """
        if not self.shift:
            return 0, 0
        return (
            -self.shift if height > self.window_size else 0,
            -self.shift if width > self.window_size else 0,
        )

    def build_dictionary(
        self, windows: Tensor, height: int, width: int, shifts: tuple[int, int]
    ) -> KeySemanticDictionary:
        """Select keys in the windows (B * nW, N, C) of images rolled by `shifts` pixels."""
        groups = None
        if any(shifts):
            groups = region_labels(
                height, width, self.window_size, (-shifts[0], -shifts[1]), windows.device
            )
            groups = groups.repeat(windows.shape[0] // groups.shape[0], 1)
        return key_semantic_dictionary(
            windows, self.k, groups=groups, sim_norm=self.sim_norm, backend=self.backend
        )


def make_stage(dim: int, depth: int, *arguments: Any, blocks: int = 0, **options: Any) -> nn.Module:
    """A stage as `KeySemanticStage` takes it, and residual blocks behind it.

    The blocks are ours. A stage of the paper has one convolution for all its layers, while small
    networks learn most per second from convolutions, which processors compute several times as
    fast as attention.

    Args:
        dim: Channels, C.
        depth: Number of layers; 0 for blocks alone.
        *arguments: Further ones of `KeySemanticStage`.
        blocks: Number of residual blocks.
        **options: Further ones of `KeySemanticStage`.

    Returns:
        A module that maps (B, C, H, W) to (B, C, H, W). Without blocks the stage itself, whose
        weights then have the names that they have without this function.
    """
    parts: list[nn.Module] = []
    if depth:
        parts.append(KeySemanticStage(dim, depth, *arguments, **options))
        if not blocks:
            return parts[0]
    parts += (ResidualBlock(dim) for _ in range(blocks))
    chain = RecomputedSequential(*parts)
    chain.use_checkpoint = bool(options.get("use_checkpoint"))
    return chain
