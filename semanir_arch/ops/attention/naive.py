"""The definition of key-semantic attention, in float32 and plain torch operations.

SemanIR (arXiv 2405.20008), Section 3, Figure 2d: softmax of the scores over each query's k kept
keys, times their values. Holds every score of every window at once: for tests, tracing and small
inputs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from semanir_arch.ops.autocast import without_autocast
from semanir_arch.ops.backend import Backend, never

from .bias import matrix

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
    """Attention over kept keys, as `semanir_arch.ops.key_semantic_attention` defines it."""
    dtype = torch.promote_types(q.dtype, torch.float32)
    with without_autocast(q.device.type):
        scores = q.to(dtype) @ k.to(dtype).mT * scale
        if bias is not None:
            scores = scores + matrix(bias).to(dtype)
        if dictionary.masked:
            scores = scores.masked_fill(~dictionary.mask().unsqueeze(1), float("-inf"))
        return (scores.softmax(dim=-1) @ v.to(dtype)).to(q.dtype)


BACKEND = Backend(name="naive", run=attend, preferred=never)
