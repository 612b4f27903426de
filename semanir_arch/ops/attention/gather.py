"""The paper's Torch-Gather without its memory: a few queries collect their keys at a time.

Cost grows with N k instead of N^2, but every collected number is used once: it pays only where k is
a small share of a large window.

Legend: W windows in the chunk, h heads, n queries in the chunk, N tokens per window, d channels per
head.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from semanir_arch.ops.backend import Backend, Request
from semanir_arch.ops.dictionary.packed_bits import unpack
from semanir_arch.ops.operators import operator

from .bias import fold, matrix
from .gradient import register_fake_gradient, register_gradient

if TYPE_CHECKING:
    from semanir_arch.ops.dictionary import KeySemanticDictionary

__all__ = ["BACKEND", "attend"]

# The collected keys and values of a chunk, in bytes.
_CHUNK_BYTES = 64 * 2**20


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    dictionary: KeySemanticDictionary,
    bias: Tensor | None,
    scale: float,
) -> Tensor:
    """Attention over kept keys; shapes as in `semanir_arch.ops.key_semantic_attention`."""
    assert dictionary.bits is not None, "refused by the predicate"
    return _forward(q, k, v, dictionary.bits, dictionary.k, bias, scale)


def _why_not(request: Request) -> str | None:
    return None if request.masked else "every key is kept, there is nothing to gather"


def _preferred(request: Request) -> bool:
    # Where gathering beats masking; measured by benchmarks/bench_ops.py.
    return request.device == "cpu" and request.k * 256 <= request.num_tokens


BACKEND = Backend(name="gather", run=attend, why_not=_why_not, preferred=_preferred)


@operator(
    "semanir::gather_attention",
    "(Tensor q, Tensor k, Tensor v, Tensor bits, int kept, Tensor? bias, float scale) -> Tensor",
    differentiable=True,
)
def _forward(
    q: Tensor, k: Tensor, v: Tensor, bits: Tensor, kept: int, bias: Tensor | None, scale: float
) -> Tensor:
    out = q.new_empty(q.shape)
    square = None if bias is None else matrix(bias)
    dtype = torch.promote_types(q.dtype, torch.float32)
    with torch.autocast(q.device.type, enabled=False):
        for window, rows, index, absent in _chunks(q, bits, kept):
            queries = q[window, :, rows].to(dtype)
            p = _weights(queries, k[window], index, absent, square, rows, scale)
            values = _collect(v[window], index).to(dtype)
            out[window, :, rows] = torch.einsum("hnk,hnkd->hnd", p, values).to(q.dtype)
    return out


@torch.library.register_fake("semanir::gather_attention")
def _(q: Tensor, *_: object) -> Tensor:
    return q.new_empty(q.shape)


@operator(
    "semanir::gather_attention_backward",
    "(Tensor grad, Tensor q, Tensor k, Tensor v, Tensor bits, int kept, Tensor? bias, "
    "float scale) -> (Tensor, Tensor, Tensor, Tensor)",
)
def _backward(
    grad: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    bits: Tensor,
    kept: int,
    bias: Tensor | None,
    scale: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    dtype = torch.promote_types(q.dtype, torch.float32)
    dq, dk, dv = (torch.zeros_like(x, dtype=dtype) for x in (q, k, v))
    # An operator returns tensors, not None: without a bias its gradient is empty.
    heads, tokens, head_dim = q.shape[1:]
    square = None if bias is None else matrix(bias)
    dbias = q.new_zeros(0 if bias is None else (heads, tokens, tokens), dtype=dtype)
    with torch.autocast(q.device.type, enabled=False):
        for window, rows, index, absent in _chunks(q, bits, kept):
            pq, pgrad = q[window, :, rows].to(dtype), grad[window, :, rows].to(dtype)
            p = _weights(pq, k[window], index, absent, square, rows, scale)
            flat = index.flatten()
            share = torch.einsum("hnk,hnd->hnkd", p, pgrad)
            dv[window].index_add_(1, flat, share.reshape(heads, -1, head_dim))
            dp = torch.einsum("hnd,hnkd->hnk", pgrad, _collect(v[window], index).to(dtype))
            ds = p * (dp - (p * dp).sum(dim=-1, keepdim=True))
            keys = _collect(k[window], index).to(dtype)
            dq[window, :, rows] = torch.einsum("hnk,hnkd->hnd", ds, keys) * scale
            share = torch.einsum("hnk,hnd->hnkd", ds, pq) * scale
            dk[window].index_add_(1, flat, share.reshape(heads, -1, head_dim))
            if bias is not None:
                dbias[:, rows].scatter_add_(-1, index.expand(heads, -1, -1), ds)
    if bias is not None:
        dbias = fold(dbias, bias).to(bias.dtype)
    return dq.to(q.dtype), dk.to(k.dtype), dv.to(v.dtype), dbias


register_fake_gradient("semanir::gather_attention_backward", bias=5)
register_gradient("semanir::gather_attention", _backward, bias=5)


def _chunks(q: Tensor, bits: Tensor, kept: int) -> Iterator[tuple[int, slice, Tensor, Tensor]]:
    """Yield window, slice of queries, their kept keys (n, k), and where a row has fewer."""
    num_windows, heads, num_tokens, head_dim = q.shape
    size = max(1, _CHUNK_BYTES // (2 * heads * kept * head_dim * 4))
    for window in range(num_windows):
        for start in range(0, num_tokens, size):
            rows = slice(start, min(start + size, num_tokens))
            mask = unpack(bits[window, rows], num_tokens).to(torch.uint8)
            present, index = mask.topk(kept, dim=-1)
            yield window, rows, index, present == 0


def _collect(x: Tensor, index: Tensor) -> Tensor:
    """Rows of x (h, N, d) for index (n, k): (h, n, k, d)."""
    return x.index_select(1, index.flatten()).unflatten(1, index.shape)


def _weights(
    q: Tensor,
    k: Tensor,
    index: Tensor,
    absent: Tensor,
    bias: Tensor | None,
    rows: slice,
    scale: float,
) -> Tensor:
    """Attention weights of queries q (h, n, d) over their kept keys of k (h, N, d): (h, n, k)."""
    scores = torch.einsum("hnd,hnkd->hnk", q * scale, _collect(k, index).to(q.dtype))
    if bias is not None:
        scores += bias[:, rows].to(q.dtype).gather(-1, index.expand(bias.shape[0], -1, -1))
    return scores.masked_fill_(absent, float("-inf")).softmax(dim=-1)
