"""Trade time for memory in training: activations are recomputed in the backward pass."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

__all__ = ["RecomputedSequential", "call"]


def call(module: nn.Module, *inputs: Any, recompute: bool) -> Any:
    """Call a module.

    Args:
        module: The module.
        *inputs: Inputs of the module.
        recompute: Whether its activations are dropped after a forward pass in training.
    """
    if recompute and module.training and torch.is_grad_enabled():
        return checkpoint(module, *inputs, use_reentrant=False)
    return module(*inputs)


class RecomputedSequential(nn.Sequential):
    """Modules one after the other, of which each may be recomputed.

    Attributes:
        use_checkpoint: Whether to.
    """

    use_checkpoint = False

    def forward(self, x: Tensor) -> Tensor:
        """Pass `x` through all modules."""
        for module in self:
            x = call(module, x, recompute=self.use_checkpoint)
        return x
