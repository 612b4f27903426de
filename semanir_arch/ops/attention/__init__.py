"""Key-semantic attention: a token attends to the k tokens its window's dictionary keeps for it.

SemanIR (arXiv 2405.20008), Section 3, Figure 2d. One file per backend; to add one, write the file
and name it below.
"""

from __future__ import annotations

import torch
from torch import Tensor

from semanir_arch.ops.autocast import autocast_dtype
from semanir_arch.ops.backend import ATTENTION_BACKENDS, Request, choose
from semanir_arch.ops.dictionary import KeySemanticDictionary

from . import bias as position_bias
from . import dense, fused, gather, masked, naive, native

__all__ = ["key_semantic_attention"]

# In the order of the automatic choice.
for _backend in (
    dense.BACKEND,
    native.BACKEND,
    fused.BACKEND,
    gather.BACKEND,
    masked.BACKEND,
    fused.UNION_BACKEND,
    naive.BACKEND,
):
    ATTENTION_BACKENDS[_backend.name] = _backend


def key_semantic_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    dictionary: KeySemanticDictionary,
    *,
    bias: Tensor | None = None,
    scale: float | None = None,
    backend: str = "auto",
) -> Tensor:
    """Attend over the kept keys: softmax(scale q k^T + bias) v, other keys having no weight.

    Under autocast, queries, keys and values are cast to its dtype, as for torch's attention.

    Args:
        q: Queries, shape (nW, h, N, d): windows, heads, tokens per window, channels per head.
        k: Keys, same shape and dtype.
        v: Values, same shape and dtype.
        dictionary: Kept keys, shared by all heads.
        bias: Bias of the scores, shared by the windows; differentiable. Shape (h, N, N); or, for
            windows of w x w tokens in reading order, a table (h, 2w - 1, 2w - 1) from which token i
            adds the entry [y_j - y_i + w - 1, x_j - x_i + w - 1] to its score with token j. The
            table is faster and needs less memory.
        scale: Factor of the scores; default d ** -0.5.
        backend: "auto", or one of `semanir_arch.ops.backend.ATTENTION_BACKENDS`. All give the same
            result.

    Returns:
        Shape (nW, h, N, d), dtype of q.

    Raises:
        ValueError: If shapes or dtypes disagree, or no backend has that name.
        NotImplementedError: If the named backend cannot serve this input.
    """
    dtype = autocast_dtype(q.device.type)
    if dtype is not None:
        q, k, v = (x if x.dtype == torch.float64 else x.to(dtype) for x in (q, k, v))
    _check(q, k, v, dictionary, bias)
    request = Request(
        device=q.device.type,
        dtype=q.dtype,
        num_tokens=q.shape[2],
        head_dim=q.shape[3],
        k=dictionary.k,
        masked=dictionary.masked,
    )
    if bias is not None:
        is_matrix = bias.shape[-1] == q.shape[2]
        bias = (bias if is_matrix else position_bias.strips(bias)).to(q.dtype)
    scale = q.shape[3] ** -0.5 if scale is None else scale
    return choose(request, backend).run(q, k, v, dictionary, bias, scale)


def _check(
    q: Tensor, k: Tensor, v: Tensor, dictionary: KeySemanticDictionary, bias: Tensor | None
) -> None:
    if q.dim() != 4 or k.shape != q.shape or v.shape != q.shape:
        shapes = ", ".join(str(tuple(x.shape)) for x in (q, k, v))
        raise ValueError(
            f"q, k, v must share one shape (windows, heads, tokens, channels), got {shapes}"
        )
    if k.dtype != q.dtype or v.dtype != q.dtype:
        raise ValueError(f"q, k, v must share one dtype, got {q.dtype}, {k.dtype}, {v.dtype}")
    if (q.shape[0], q.shape[2]) != (dictionary.num_windows, dictionary.num_tokens):
        raise ValueError(
            f"the dictionary is of {dictionary.num_windows} windows of "
            f"{dictionary.num_tokens} tokens, "
            f"q has {q.shape[0]} of {q.shape[2]}"
        )
    if bias is None:
        return
    allowed = position_bias.shapes(q.shape[1], q.shape[2])
    if tuple(bias.shape) not in allowed:
        raise ValueError(
            f"bias must have shape {' or '.join(map(str, allowed))}, got {tuple(bias.shape)}"
        )
