"""The negative PSNR as a loss, as HINet (arXiv 2105.06086) and NAFNet train with it."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor, nn

from semanir_arch.losses.loss_weight import Eps, LossWeight
from semanir_arch.utils.errors import InputError
from semanir_arch.utils.values import OneOf

__all__ = ["PSNRLoss", "psnr_loss"]


def psnr_loss(output: Tensor, target: Tensor, eps: float = 1e-8) -> Tensor:
    """Mean over the images of 10 log10(MSE + eps), in decibels: minus the PSNR.

    Args:
        output: Shape (B, C, H, W), nominal range [0, 1], not clamped.
        target: Target images, as `output`.
        eps: Constant that keeps the loss of equal images finite: -80 dB.
    """
    error = (output - target).square().mean(dim=(1, 2, 3))
    return 10 * torch.log10(error + eps).mean()


class PSNRLoss(nn.Module):
    """`psnr_loss` for option files.

    Args:
        loss_weight: Factor.
        reduction: `mean`; here because option files of other toolkits give it.
        eps: Constant that keeps the loss finite; see `psnr_loss`.
    """

    def __init__(
        self,
        loss_weight: LossWeight = 1.0,
        reduction: Annotated[str, OneOf("mean")] = "mean",
        eps: Eps = 1e-8,
    ) -> None:
        super().__init__()
        if reduction != "mean":
            raise InputError(f"reduction={reduction!r}; allowed: 'mean'")
        self.loss_weight = loss_weight
        self.eps = eps

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Weighted loss of images (B, C, H, W)."""
        return self.loss_weight * psnr_loss(output, target, self.eps)
