"""Multi-head self-attention over a shared key-semantic dictionary.

SemanIR (arXiv 2405.20008), Section 3, Figure 2d.
"""

from __future__ import annotations

import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from semanir_arch.ops import KeySemanticDictionary, key_semantic_attention
from semanir_arch.utils.errors import InputError

from .cosine import cosine_scale, make_logit_scale
from .position_bias import ContinuousPositionBias

__all__ = ["SCORES", "KeySemanticAttention"]

SCORES = ("dot", "cosine")


class KeySemanticAttention(nn.Module):
    """Self-attention of windows in which each token sees the keys its dictionary keeps.

    Args:
        dim: Channels, C.
        num_heads: Attention heads; must divide C.
        window_size: Side of the windows in pixels, for the position bias.
        score: "dot" for the scaled dot product, "cosine" for cosine similarity times a learned
            scale per head.
        bias_dim: Hidden width of the position bias.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        window_size: int,
        score: str = "dot",
        bias_dim: int = 512,
    ) -> None:
        super().__init__()
        if dim % num_heads:
            raise InputError(f"num_heads={num_heads} must divide the {dim} channels")
        if score not in SCORES:
            raise InputError(f"score={score!r} is unknown; allowed: {', '.join(map(repr, SCORES))}")
        self.num_heads = num_heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.position_bias = ContinuousPositionBias(num_heads, window_size, bias_dim)
        self.logit_scale = make_logit_scale(num_heads) if score == "cosine" else None
        self.out = nn.Linear(dim, dim)

    def forward(
        self, x: Tensor, dictionary: KeySemanticDictionary, backend: str = "auto"
    ) -> Tensor:
        """Attend within windows.

        Args:
            x: Tokens, shape (nW, N, C).
            dictionary: Kept keys of these windows.
            backend: Implementation; see `semanir_arch.ops.key_semantic_attention`.

        Returns:
            Shape (nW, N, C).
        """
        q, k, v, scale = self.project(x)
        out = key_semantic_attention(
            q, k, v, dictionary, bias=self.position_bias(), scale=scale, backend=backend
        )
        return self.out(rearrange(out, "nW h N d -> nW N (h d)"))

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, float | None]:
        """Make queries, keys and values of tokens.

        Args:
            x: Tokens, shape (nW, N, C).

        Returns:
            Queries, keys and values, shape (nW, h, N, d), and the factor of their scores, None for
            d ** -0.5; as `semanir_arch.ops.key_semantic_attention` takes them.
        """
        q, k, v = rearrange(
            self.qkv(x), "nW N (qkv h d) -> qkv nW h N d", qkv=3, h=self.num_heads
        ).unbind(0)
        if self.logit_scale is None:
            return q, k, v, None
        q = F.normalize(q, dim=-1) * cosine_scale(self.logit_scale).to(q.dtype)
        return q, F.normalize(k, dim=-1), v, 1.0
