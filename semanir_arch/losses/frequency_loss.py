"""Distance of images in the frequency domain, as MIMO-UNet (arXiv 2108.05054) trains with it."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semanir_arch.losses.loss_weight import LossWeight
from semanir_arch.utils.errors import InputError
from semanir_arch.utils.values import OneOf

__all__ = ["FFTLoss", "fft_loss"]

_COMPARED = ("complex", "amplitude")
_NORMS = ("backward", "ortho", "forward")


def fft_loss(
    output: Tensor, target: Tensor, compared: str = "complex", norm: str = "backward"
) -> Tensor:
    """Mean absolute difference of the spectra; in float32 where images are of half precision.

    Args:
        output: Shape (B, C, H, W).
        target: Target images, as `output`.
        compared: "complex" for real and imaginary parts, two values per frequency; "amplitude" for
            absolute values, which do not see where in the image something is.
        norm: Scale of the transform: "backward" (none: frequency zero is the sum of the pixels),
            "ortho" or "forward" (frequency zero is their mean).
    """
    precise = torch.promote_types(output.dtype, torch.float32)
    form = torch.abs if compared == "amplitude" else torch.view_as_real
    restored, clean = (
        form(torch.fft.rfft2(image.to(precise), norm=norm)) for image in (output, target)
    )
    return F.l1_loss(restored, clean)


class FFTLoss(nn.Module):
    """`fft_loss` for option files.

    Args:
        loss_weight: Factor.
        compared: "complex" or "amplitude".
        norm: "backward", "ortho" or "forward".

    Raises:
        ValueError: `compared` or `norm` is something else.
    """

    def __init__(
        self,
        loss_weight: LossWeight = 1.0,
        compared: Annotated[str, OneOf(*_COMPARED)] = "complex",
        norm: Annotated[str, OneOf(*_NORMS)] = "backward",
    ) -> None:
        super().__init__()
        for name, value, allowed in (("compared", compared, _COMPARED), ("norm", norm, _NORMS)):
            if value not in allowed:
                raise InputError(f"{name}={value!r} is unknown; allowed: {', '.join(allowed)}")
        self.loss_weight = loss_weight
        self.compared = compared
        self.norm = norm

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Weighted loss of images (B, C, H, W)."""
        return self.loss_weight * fft_loss(output, target, self.compared, self.norm)
