"""Fused attention over kept keys, registered as operators: exact, linear memory, any N, d <= 128.

`triton` visits every key and drops those that a query does not keep. `triton_union` visits, for a
block of queries, only the keys that at least one of them keeps; it pays where neighbors choose
alike. Both run the kernels of `triton.py` as `kernel_launch.py` lays them out; these are imported
when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from semanir_arch.ops.backend import KERNELS_PROVEN, Backend, Request, never, why_no_triton
from semanir_arch.ops.operators import operator

from .gradient import register_gradient

if TYPE_CHECKING:
    from semanir_arch.ops.dictionary import KeySemanticDictionary

    from .kernel_launch import Union

__all__ = ["BACKEND", "UNION_BACKEND", "attend", "attend_union", "volunteers"]

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
_MAX_HEAD_DIM = 128
# Places in a list of keys are 16-bit, and N * N must stay below 2^31.
_MAX_TOKENS = 2**15 - 1


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    dictionary: KeySemanticDictionary,
    bias: Tensor | None,
    scale: float,
) -> Tensor:
    """Attention over kept keys; shapes as in `semanir_arch.ops.key_semantic_attention`."""
    return _forward(q, k, v, dictionary.bits, bias, scale, None, None, None, 0)[0]


def attend_union(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    dictionary: KeySemanticDictionary,
    bias: Tensor | None,
    scale: float,
) -> Tensor:
    """Attend like `attend`; the dictionary keeps the lists of keys from its first use on."""
    # Exact float32 products need smaller blocks.
    block = 128 if q.element_size() == 2 else 64
    union = dictionary.union(block)
    return _forward(q, k, v, dictionary.bits, bias, scale, *union, block)[0]


def _why_not(request: Request) -> str | None:
    if request.dtype not in DTYPES:
        return f"{request.dtype} is not one of {', '.join(map(str, DTYPES))}"
    if request.head_dim > _MAX_HEAD_DIM:
        return f"{request.head_dim} channels per head are more than {_MAX_HEAD_DIM}"
    if request.num_tokens > _MAX_TOKENS:
        return f"{request.num_tokens} tokens per window are more than {_MAX_TOKENS}"
    return why_no_triton(request.device)


def _why_no_union(request: Request) -> str | None:
    if not request.masked:
        return "every key is kept, there is nothing to leave out"
    return _why_not(request)


def volunteers(request: Request) -> bool:
    """Whether the kernels were measured to be the faster ones, once they have run on a GPU.

    Exact float32 products run on a GPU's ordinary cores, a dozen times slower than in 16 bits, and
    the interpreter serves CPU tensors for tests only.
    """
    return request.device == "cuda" and request.dtype != torch.float32


BACKEND = Backend(
    name="triton", run=attend, why_not=_why_not, preferred=volunteers if KERNELS_PROVEN else never
)
UNION_BACKEND = Backend(
    name="triton_union", run=attend_union, why_not=_why_no_union, preferred=never
)


_UNION = "Tensor? union_keys, Tensor? union_sizes, Tensor? union_bits, int union_block"


@operator(
    "semanir::fused_attention",
    f"(Tensor q, Tensor k, Tensor v, Tensor? bits, Tensor? bias, float scale, {_UNION}) "
    "-> (Tensor, Tensor)",
    differentiable=True,
)
def _forward(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    bits: Tensor | None,
    bias: Tensor | None,
    scale: float,
    *union: Any,
) -> tuple[Tensor, Tensor]:
    from . import kernel_launch

    q, k, v = (_readable(x) for x in (q, k, v))
    bias = None if bias is None else bias.contiguous()
    return kernel_launch.forward(q, k, v, bits, bias, scale, _as_union(*union))


@torch.library.register_fake("semanir::fused_attention")
def _(q: Tensor, *_: object) -> tuple[Tensor, Tensor]:
    return _token_major(q), q.new_empty(q.shape[:3], dtype=torch.float32)


@operator(
    "semanir::fused_attention_backward",
    "(Tensor grad, Tensor q, Tensor k, Tensor v, Tensor o, Tensor lse, Tensor? bits, Tensor? bias, "
    f"float scale, {_UNION}, bool bias_gradient) -> (Tensor, Tensor, Tensor, Tensor)",
)
def _backward(
    grad: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    o: Tensor,
    lse: Tensor,
    bits: Tensor | None,
    bias: Tensor | None,
    scale: float,
    *rest: Any,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    from . import kernel_launch

    *union, bias_gradient = rest
    grad, q, k, v = (_readable(x) for x in (grad, q, k, v))
    saved_bias = None if bias is None else bias.contiguous()
    dq, dk, dv, dbias = kernel_launch.backward(
        grad,
        q,
        k,
        v,
        o,
        lse.contiguous(),
        bits,
        saved_bias,
        scale,
        _as_union(*union),
        bias_gradient=bias_gradient,
    )
    # An operator returns tensors, not None: a gradient that nobody asked for is empty.
    return dq, dk, dv, q.new_empty(0) if dbias is None or bias is None else dbias.to(bias.dtype)


@torch.library.register_fake("semanir::fused_attention_backward")
def _(
    _grad: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    _o: Tensor,
    _lse: Tensor,
    _bits: Tensor | None,
    bias: Tensor | None,
    _scale: float,
    *rest: Any,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    dbias = q.new_empty(0) if bias is None or not rest[-1] else bias.new_empty(bias.shape)
    return _token_major(q), _token_major(k), _token_major(v), dbias


def _differentiate(
    grad: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    bits: Tensor | None,
    bias: Tensor | None,
    scale: float,
    *rest: Any,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    *union, o, lse, wants_bias = rest
    return _backward(grad, q, k, v, o, lse, bits, bias, scale, *union, wants_bias)


register_gradient("semanir::fused_attention", _differentiate, bias=4)


def _as_union(
    keys: Tensor | None, sizes: Tensor | None, bits: Tensor | None, block: int
) -> Union | None:
    from .kernel_launch import Union

    if keys is None or sizes is None or bits is None:
        return None
    return Union(keys, sizes, bits, block)


def _readable(x: Tensor) -> Tensor:
    """`x`, or a copy whose rows are contiguous and near enough for 32-bit offsets."""
    far = x.stride(2) * x.shape[2] >= 2**31
    return x.contiguous() if far or (x.stride(3) != 1 and x.shape[3] > 1) else x


def _token_major(x: Tensor) -> Tensor:
    """Like the kernels' results: shape (nW, h, N, d), in memory (nW, N, h, d)."""
    windows, heads, tokens, head_dim = x.shape
    return x.new_empty((windows, tokens, heads, head_dim)).transpose(1, 2)
