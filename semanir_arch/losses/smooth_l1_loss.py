"""Smooth L1: squares of small errors, absolute values of large ones (Girshick, arXiv 1504.08083).

The function is `torch.nn.functional.smooth_l1_loss`.
"""

from __future__ import annotations

from typing import Annotated

import torch.nn.functional as F
from torch import Tensor, nn

from semanir_arch.losses.loss_weight import LossWeight
from semanir_arch.utils.errors import InputError
from semanir_arch.utils.values import Bounds

__all__ = ["SmoothL1Loss"]

Beta = Annotated[float, Bounds(above=0, most=1e6)]
"""Difference at which squares and absolute values meet."""


class SmoothL1Loss(nn.Module):
    """Mean of 0.5 d^2 / beta where d = |output - target| is below beta, of d - 0.5 beta elsewhere.

    Args:
        loss_weight: Factor.
        beta: Difference at which the two parts meet, above 0, on the scale of the images.
    """

    def __init__(self, loss_weight: LossWeight = 1.0, beta: Beta = 1.0) -> None:
        super().__init__()
        if beta <= 0:
            raise InputError(f"beta={beta} must be above 0")
        self.loss_weight = loss_weight
        self.beta = beta

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Weighted loss of images (B, C, H, W)."""
        return self.loss_weight * F.smooth_l1_loss(output, target, beta=self.beta)
