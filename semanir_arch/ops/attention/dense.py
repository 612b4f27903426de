"""No key is excluded: plain attention, for which torch has fused kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn.functional as F
from torch import Tensor

from semanir_arch.ops.backend import Backend, Request

from .bias import matrix
from .masked import attend as attend_in_chunks

if TYPE_CHECKING:
    from semanir_arch.ops.dictionary import KeySemanticDictionary

__all__ = ["BACKEND", "attend"]


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    dictionary: KeySemanticDictionary,
    bias: Tensor | None,
    scale: float,
) -> Tensor:
    """Attention over all keys; shapes as in `semanir_arch.ops.key_semantic_attention`."""
    # The fused kernels have no gradient for the bias; torch would fall back to holding every score
    # of every window.
    if bias is not None and bias.requires_grad:
        return attend_in_chunks(q, k, v, dictionary, bias, scale)
    mask = None if bias is None else matrix(bias).unsqueeze(0)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale)


def _why_not(request: Request) -> str | None:
    return f"only k={request.k} of {request.num_tokens} keys are kept" if request.masked else None


BACKEND = Backend(name="dense", run=attend, why_not=_why_not)
