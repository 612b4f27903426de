"""The position bias of a square window, without its N x N matrix.

The bias of tokens i and j depends on their offset alone: it is
table[h, y_j - y_i + w - 1, x_j - x_i + w - 1]. The table is cut into strips, one per column x_i of
the window: the w columns of the table that such a token meets. Token i's row of the matrix then
lies in one piece in strip x_i, from (w - 1 - y_i) w on. Whoever finds the start of a row reads
strips as it reads a matrix; those of a 32 x 32 window are 16 times smaller.

Legend: h heads, w x w tokens in a window, N = w w, strips (h, w, (2w - 1) w).
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["fold", "matrix", "row_maximum", "shapes", "strips", "transposed", "window_side"]


def shapes(num_heads: int, num_tokens: int) -> list[tuple[int, int, int]]:
    """Shapes that a bias may have: the matrix and, if the window may be square, the table."""
    side = round(num_tokens**0.5)
    table = [(num_heads, 2 * side - 1, 2 * side - 1)] if side * side == num_tokens else []
    return [(num_heads, num_tokens, num_tokens), *table]


def strips(table: Tensor) -> Tensor:
    """Cut a table (h, 2w - 1, 2w - 1) into strips; differentiable."""
    side = (table.shape[-1] + 1) // 2
    # A token in column x meets the columns from w - 1 - x on.
    return table.unfold(2, side, 1).flip(2).transpose(1, 2).flatten(2)


def window_side(bias: Tensor) -> int:
    """Side w of the window whose strips these are; 0 for a matrix (h, N, N)."""
    return 0 if bias.shape[1] == bias.shape[2] else bias.shape[1]


def matrix(bias: Tensor) -> Tensor:
    """Matrix (h, N, N) of strips; a matrix is returned as it is. Differentiable."""
    side = window_side(bias)
    if not side:
        return bias
    return torch.stack([bias[:, :, piece] for piece in _pieces(side)], dim=1).flatten(1, 2)


def fold(gradient: Tensor, bias: Tensor) -> Tensor:
    """Gradient of `bias`, given that of its matrix; the other direction of `matrix`."""
    side = window_side(bias)
    if not side:
        return gradient
    folded = gradient.new_zeros(bias.shape)
    for rows, piece in zip(
        gradient.unflatten(1, (side, side)).unbind(1), _pieces(side), strict=True
    ):
        folded[:, :, piece] += rows
    return folded


def transposed(bias: Tensor) -> Tensor:
    """Bias with the roles of queries and keys exchanged, contiguous, in the form it has."""
    side = window_side(bias)
    if not side:
        return bias.mT.contiguous()
    return bias.unflatten(2, (-1, side)).flip(2).transpose(1, 3).flatten(2)


def row_maximum(bias: Tensor) -> Tensor:
    """Largest bias of each query, shape (h, N)."""
    side = window_side(bias)
    if not side:
        return bias.amax(dim=-1)
    return bias.unfold(2, side * side, side).amax(dim=-1).flip(2).mT.flatten(1)


def _pieces(side: int) -> list[slice]:
    """Positions of each row of tokens in their strips."""
    starts = ((side - 1 - y) * side for y in range(side))
    return [slice(start, start + side * side) for start in starts]
