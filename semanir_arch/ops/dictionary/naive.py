"""The definition of the key-semantic dictionary's selection, by a stable sort.

SemanIR (arXiv 2405.20008), Section 3: the similarity of tokens i and j of a window is the inner
product of their features; every row keeps its k largest entries, the others are dropped.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["select"]


def select(x: Tensor, k: int, groups: Tensor | None = None) -> Tensor:
    """Choose each token's k most similar tokens of its window.

    Args:
        x: Features, shape (nW, N, C), float32.
        k: Keys kept per row, 1 <= k <= N.
        groups: Shape (nW, N), integer: token j is eligible for token i only if both have the same
            number. A row
            with fewer than k eligible keys keeps all of them. None: all are eligible.

    Returns:
        Shape (nW, N, N), bool: [w, i, j] says whether row i keeps key j. Equal similarities go to
        the lower index.
    """
    similarity = x @ x.mT
    if groups is not None:
        eligible = groups.unsqueeze(-1) == groups.unsqueeze(-2)
        similarity = similarity.masked_fill(~eligible, float("-inf"))
    order = similarity.argsort(dim=-1, descending=True, stable=True)
    kept = torch.zeros_like(similarity, dtype=torch.bool).scatter_(-1, order[..., :k], True)
    return kept if groups is None else kept & eligible
