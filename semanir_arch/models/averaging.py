"""Averaged weights: the network that is evaluated follows the one that is trained."""

from __future__ import annotations

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

__all__ = ["decay_at", "update_average"]


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move the averaged parameters towards the current ones.

    Buffers, such as the statistics of batch normalization, are copied: BasicSR forgets them, and
    they are averages already.

    Args:
        average: Averaged network, changed in place; of the same layout as `network`.
        network: The trained network, not wrapped.
        decay: Weight of the old average in [0, 1]; 0 copies.
    """
    get_ema_multi_avg_fn(decay)(list(average.parameters()), list(network.parameters()), None)
    for kept, current in zip(average.buffers(), network.buffers(), strict=True):
        kept.copy_(current)


def decay_at(iteration: int, decay: float, warmup: bool) -> float:
    """Decay of one iteration.

    Args:
        iteration: Iteration, counted from 1.
        decay: Value of the option `ema_decay`.
        warmup: Whether early averages forget faster, so that the first weights do not linger: at
            most (1 + i) / (10 + i), the rule of TensorFlow's ExponentialMovingAverage.
    """
    return min(decay, (1 + iteration) / (10 + iteration)) if warmup else decay
