"""Key-semantic attention in C++ for CPUs: only the kept keys are touched, forward and backward.

It runs where the library of `semanir_arch.ops.native` has been built.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from semanir_arch.ops import native
from semanir_arch.ops.backend import Backend, Request, Variants
from semanir_arch.ops.operators import operator

from .gradient import register_fake_gradient, register_gradient

if TYPE_CHECKING:
    from semanir_arch.ops.dictionary import KeySemanticDictionary

__all__ = ["BACKEND", "attend"]

_DTYPES = (torch.float32, torch.bfloat16)
_MAX_HEAD_DIM = 128


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    dictionary: KeySemanticDictionary,
    bias: Tensor | None,
    scale: float,
    *,
    instructions: str | None = None,
) -> Tensor:
    """Attention over kept keys; shapes as in `semanir_arch.ops.key_semantic_attention`.

    `instructions` names the kernels: "avx512" or "portable"; default: those in use, the best that
    this processor has unless `semanir_arch.ops.native` was told otherwise.
    """
    assert dictionary.bits is not None, "refused by the predicate"
    return _forward(
        q, k, v, dictionary.bits, bias, scale, instructions or native.best_instructions()
    )


def _why_not(request: Request) -> str | None:
    if request.device != "cpu":
        return f"it runs on the CPU, not on {request.device}"
    if not request.masked:
        return "every key is kept, which plain attention does faster"
    if request.dtype not in _DTYPES:
        return f"it computes in float32 or bfloat16, not in {request.dtype}"
    if request.head_dim > _MAX_HEAD_DIM:
        return f"heads have at most {_MAX_HEAD_DIM} channels, not {request.head_dim}"
    return native.why_not()


_WIDTHS = (32, 64, _MAX_HEAD_DIM)
_TOKENS_PER_KEY = {
    ("avx512", "float32"): (1, 2, 4),
    ("avx512", "bfloat16"): (1, 4, 4),
    ("avx512", "bfloat16 by AMX"): (4, 8, 8),
    ("portable", "float32"): (16, 16, 16),
    ("portable", "bfloat16"): (16, 16, 16),
    ("portable", "bfloat16 by AMX"): (16, 16, 16),
}
"""Tokens per kept key from which forward and backward, with and without a bias, are faster than
`masked`, for heads of at most `_WIDTHS` channels; by these kernels and by what `masked` multiplies
with. Measured, or between what was measured: docs/ops_measurements.md."""


def _preferred(request: Request) -> bool:
    # Asked only of a request that can be served, so the library is loaded.
    products = str(request.dtype).removeprefix("torch.")
    if request.dtype == torch.bfloat16 and native.has_matrix_unit():
        products += " by AMX"
    width = next(i for i, most in enumerate(_WIDTHS) if request.head_dim <= most)
    tokens_per_key = _TOKENS_PER_KEY[native.best_instructions(), products][width]
    return request.k * tokens_per_key <= request.num_tokens


BACKEND = Backend(
    name="native",
    run=attend,
    why_not=_why_not,
    preferred=_preferred,
    variants=Variants(native.kernels, native.best_instructions, native.use),
)


_ARGUMENTS = (
    "Tensor q, Tensor k, Tensor v, Tensor bits, Tensor? bias, float scale, str instructions"
)


@operator(
    "semanir::native_attention",
    f"({_ARGUMENTS}) -> Tensor",
    differentiable=True,
)
def _forward(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    bits: Tensor,
    bias: Tensor | None,
    scale: float,
    instructions: str,
) -> Tensor:
    return torch.ops.semanir_native.forward(q, k, v, bits, bias, scale, instructions)


@torch.library.register_fake("semanir::native_attention")
def _(q: Tensor, *_: object) -> Tensor:
    return q.new_empty(q.shape)


@operator(
    "semanir::native_attention_backward",
    f"(Tensor grad, {_ARGUMENTS}) -> (Tensor, Tensor, Tensor, Tensor)",
)
def _backward(
    grad: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    bits: Tensor,
    bias: Tensor | None,
    scale: float,
    instructions: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    dq, dk, dv, dbias = torch.ops.semanir_native.backward(
        grad, q, k, v, bits, bias, scale, instructions
    )
    # Without a bias its gradient is empty: an operator returns tensors, not None.
    return dq, dk, dv, dbias if bias is None else dbias.sum(0).to(bias.dtype)


register_fake_gradient("semanir::native_attention_backward", bias=4)
register_gradient("semanir::native_attention", _backward, bias=4)
