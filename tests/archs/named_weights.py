"""Weights that follow from their names, so that a network can be compared without a checkpoint."""

from __future__ import annotations

import math
import zlib

import torch
from torch import Tensor, nn


def fill(network: nn.Module) -> nn.Module:
    """Replace all floating-point weights, and return the network in evaluation mode."""
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                value.copy_(_draw(name, value.shape))
    return network.eval()


def _draw(name: str, shape: torch.Size) -> Tensor:
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    r = torch.randn(shape, generator=generator)
    if name.endswith("temperature"):
        return 1 + 0.1 * r
    if name.endswith("logit_scale"):
        return math.log(10) + 0.1 * r
    if len(shape) == 4:
        return r / math.sqrt(math.prod(shape[1:]))
    return 1 + 0.1 * r if len(shape) == 1 and name.endswith("weight") else 0.1 * r
