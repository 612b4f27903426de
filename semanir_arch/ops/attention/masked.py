"""The paper's Torch-Mask without its memory: the scores of a few windows at a time, masked.

The position bias (shared by the windows) and the mask (shared by the heads) are joined only for the
windows in hand; joined for all windows at once they would outweigh the images. The backward
recomputes the scores the same way. Without a bias, whose gradient it lacks, torch's fused attention
for CPUs does both.

Legend: W windows in the chunk, h heads, N tokens per window, d channels per head.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from semanir_arch.ops.backend import Backend
from semanir_arch.ops.dictionary.packed_bits import WORD
from semanir_arch.ops.operators import operator

from .bias import fold, matrix
from .gradient import register_fake_gradient, register_gradient

if TYPE_CHECKING:
    from semanir_arch.ops.dictionary import KeySemanticDictionary

__all__ = ["BACKEND", "attend"]

# The joined bias and mask of a chunk, in bytes. On a CPU it should stay in the cache; a GPU wants
# fewer, larger launches.
_CHUNK_BYTES = {"cpu": 4 * 2**20, "cuda": 256 * 2**20}


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    dictionary: KeySemanticDictionary,
    bias: Tensor | None,
    scale: float,
) -> Tensor:
    """Attention over kept keys; shapes as in `semanir_arch.ops.key_semantic_attention`."""
    out, _ = _forward(q, k, v, dictionary.bits, bias, scale)
    return out


BACKEND = Backend(name="masked", run=attend)


_ARGUMENTS = "Tensor q, Tensor k, Tensor v, Tensor? bits, Tensor? bias, float scale"
# torch.nn.functional calls these, and keeps the logarithms to itself.
_FUSED = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_FUSED_BACKWARD = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


@operator("semanir::masked_attention", f"({_ARGUMENTS}) -> (Tensor, Tensor)", differentiable=True)
def _forward(
    q: Tensor, k: Tensor, v: Tensor, bits: Tensor | None, bias: Tensor | None, scale: float
) -> tuple[Tensor, Tensor]:
    """Result, and what the fused backward needs of it: the logarithms of the rows' sums."""
    out, logarithms = q.new_empty(q.shape), _empty_logarithms(q, bias)
    with torch.autocast(q.device.type, enabled=False):
        for part, additive in _chunks(q, bits, bias, q.dtype, fused=True):
            inputs = q[part], k[part], v[part]
            if logarithms.numel():
                out[part], logarithms[part] = _FUSED(*inputs, attn_mask=additive, scale=scale)
            else:
                out[part] = F.scaled_dot_product_attention(*inputs, attn_mask=additive, scale=scale)
    return out, logarithms


@torch.library.register_fake("semanir::masked_attention")
def _(q: Tensor, *others: Any) -> tuple[Tensor, Tensor]:
    return q.new_empty(q.shape), _empty_logarithms(q, bias=others[3])


def _empty_logarithms(q: Tensor, bias: Tensor | None) -> Tensor:
    """Room for the logarithms, (nW, h, N); none where the fused kernels do not serve."""
    fused = bias is None and q.device.type == "cpu"
    dtype = torch.promote_types(q.dtype, torch.float32)
    return q.new_empty(q.shape[:-1] if fused else (0,), dtype=dtype)


@operator(
    "semanir::masked_attention_backward",
    f"(Tensor grad, {_ARGUMENTS}, Tensor out, Tensor logarithms) "
    "-> (Tensor, Tensor, Tensor, Tensor)",
)
def _backward(
    grad: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    bits: Tensor | None,
    bias: Tensor | None,
    scale: float,
    out: Tensor,
    logarithms: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    dq, dk, dv = q.new_empty(q.shape), k.new_empty(k.shape), v.new_empty(v.shape)
    dtype = torch.promote_types(q.dtype, torch.float32)
    # An operator returns tensors, not None: without a bias its gradient is empty.
    square = (q.shape[1], q.shape[2], q.shape[2])
    dbias = q.new_zeros(0 if bias is None else square, dtype=dtype)
    with torch.autocast(q.device.type, enabled=False):
        if logarithms.numel():
            for part, additive in _chunks(q, bits, bias, q.dtype, fused=True):
                chunk = (x[part] for x in (grad, q, k, v, out, logarithms))
                dq[part], dk[part], dv[part] = _FUSED_BACKWARD(
                    *chunk, 0.0, False, attn_mask=additive, scale=scale
                )
            return dq, dk, dv, dbias
        for part, additive in _chunks(q, bits, bias, dtype):
            pq, pk, pv, pgrad = (x[part].to(dtype) for x in (q, k, v, grad))
            scores = (pq * scale) @ pk.mT
            if additive is not None:
                scores += additive
            p = scores.softmax(dim=-1)
            dv[part] = p.mT @ pgrad
            # With dP = dO V^T, the gradient of the scores is P (dP - sum_j P dP).
            ds = (pgrad @ pv.mT).mul_(p)
            ds -= p.mul_(ds.sum(dim=-1, keepdim=True))
            dq[part] = ds @ pk * scale
            dk[part] = ds.mT @ pq * scale
            if bias is not None:
                dbias[part[1]] += ds.sum(dim=0)
    return dq, dk, dv, dbias if bias is None else fold(dbias, bias).to(bias.dtype)


def _differentiate(grad: Tensor, *arguments: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """As `_backward`, with one more argument: the bias's gradient costs little to compute."""
    return _backward(grad, *arguments[:-1])


register_fake_gradient("semanir::masked_attention_backward", bias=4)
register_gradient("semanir::masked_attention", _differentiate, bias=4)


def _chunks(
    q: Tensor,
    bits: Tensor | None,
    bias: Tensor | None,
    dtype: torch.dtype,
    *,
    fused: bool = False,
) -> Iterator[tuple[tuple[slice, slice], Tensor | None]]:
    """Yield slices of windows and heads with what is added to their scores: (W, h or 1, N, N).

    `fused` says that scores are not held, so that without a bias only the mask takes memory.
    """
    num_windows, num_heads, num_tokens, _ = q.shape
    matrices = _CHUNK_BYTES.get(q.device.type, 2**28) // (num_tokens**2 * dtype.itemsize)
    # Several heads of a window before several windows, because they share its mask.
    heads = num_heads if fused and bias is None else max(1, min(num_heads, matrices))
    windows = max(1, matrices if fused and bias is None else matrices // heads)
    octet_table = _octet_table(dtype, q.device)
    bias = None if bias is None else matrix(bias).to(dtype)
    buffer: Tensor | None = None
    for start in range(0, num_windows, windows):
        some = slice(start, min(start + windows, num_windows))
        mask = None if bits is None else _additive(bits[some], octet_table, num_tokens).unsqueeze(1)
        for first in range(0, num_heads, heads):
            part = (some, slice(first, min(first + heads, num_heads)))
            if bias is None or mask is None:
                yield part, mask if bias is None else bias[part[1]].unsqueeze(0)
                continue
            shape = (mask.shape[0], part[1].stop - first, num_tokens, num_tokens)
            # Memory fresh from the system costs as much as the sum.
            if buffer is None or buffer.shape != shape:
                buffer = bias.new_empty(shape)
            yield part, torch.add(bias[part[1]], mask, out=buffer)


def _octet_table(dtype: torch.dtype, device: torch.device) -> Tensor:
    """0 for a kept key, -inf for another, for each of the 256 patterns of 8 keys: (256, 8)."""
    octet = torch.arange(256, device=device).unsqueeze(-1)
    kept = (octet >> torch.arange(8, device=device)) & 1
    return torch.zeros((256, 8), dtype=dtype, device=device).masked_fill_(kept == 0, float("-inf"))


def _additive(bits: Tensor, octet_table: Tensor, num_tokens: int) -> Tensor:
    """Expand bits to (W, N, N) zeros and -inf; looking octets up is faster than shifting."""
    octets = bits.contiguous().view(torch.uint8).flatten().to(torch.int32)
    mask = octet_table.index_select(0, octets).view(*bits.shape[:2], bits.shape[2] * WORD)
    return mask[..., :num_tokens]
