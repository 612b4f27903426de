"""The learned scale of cosine attention: Swin Transformer V2 (arXiv 2111.09883), Section 3.3."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

__all__ = ["cosine_scale", "make_logit_scale"]

_INITIAL = math.log(10.0)
_LARGEST = math.log(100.0)


def make_logit_scale(num_heads: int) -> nn.Parameter:
    """Logarithm of a scale per head that starts at 10, shape (h, 1, 1)."""
    return nn.Parameter(torch.full((num_heads, 1, 1), _INITIAL))


def cosine_scale(logit_scale: Tensor) -> Tensor:
    """The scale, at most 100; shape of `logit_scale`."""
    return logit_scale.clamp(max=_LARGEST).exp()
