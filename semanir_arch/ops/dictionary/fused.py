"""The selection on a GPU, registered as an operator; the kernels are imported when first used."""

from __future__ import annotations

import torch
from torch import Tensor

from semanir_arch.ops.backend import KERNELS_PROVEN, is_withheld, why_no_triton
from semanir_arch.ops.operators import operator

from .packed_bits import num_words

__all__ = ["select_bits", "volunteers", "why_not"]

# A row is held in the registers of one program.
_MAX_TOKENS = 2**14


def why_not(device: str, num_tokens: int) -> str | None:
    """Why windows of `num_tokens` tokens cannot be served on a type of device, or None."""
    if num_tokens > _MAX_TOKENS:
        return f"{num_tokens} tokens per window are more than {_MAX_TOKENS}"
    return why_no_triton(device)


def volunteers(device: str, num_tokens: int, *, proven: bool = KERNELS_PROVEN) -> bool:
    """Whether the kernels select where no backend is named: where those of attention may run.

    Args:
        device: Device type.
        num_tokens: Tokens per window.
        proven: Whether they have passed on a GPU.
    """
    usable = proven and device == "cuda" and not is_withheld("triton")
    return usable and why_not(device, num_tokens) is None


@operator("semanir::fused_dictionary", "(Tensor x, int k, Tensor? groups) -> Tensor")
def select_bits(x: Tensor, k: int, groups: Tensor | None) -> Tensor:
    """Select the same keys as `naive.select`, as packed bits.

    Args:
        x: Features, shape (nW, N, C), float32, bfloat16 or float16.
        k: Keys kept per row, 1 <= k <= N.
        groups: Shape (nW, N), integer, or None; see `naive.select`.

    Returns:
        Shape (nW, N, ceil(N / 32)), int32, in the layout of `packing`.
    """
    from . import triton

    x = x if x.stride(2) == 1 and x.stride(1) * x.shape[1] < 2**31 else x.contiguous()
    return triton.select(x, k, None if groups is None else groups.contiguous())


@torch.library.register_fake("semanir::fused_dictionary")
def _(x: Tensor, *_: object) -> Tensor:
    return x.new_empty((x.shape[0], x.shape[1], num_words(x.shape[1])), dtype=torch.int32)
