"""What a network of another project looks like to everything that restores images here."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from semanir_arch.archs.base import RestorationNetwork
from semanir_arch.utils.errors import InputError

__all__ = ["ForeignNetwork"]


class ForeignNetwork(RestorationNetwork):
    """A network that another package defines.

    Args:
        model: Module that holds the weights.
        call: Function from images (B, in_chans, H, W) of any size to (B, out_chans, upscale * H,
            upscale * W).
        name: Name of the architecture, for reports.
        in_chans: Channels in.
        out_chans: Channels out.
        upscale: Enlargement of height and width.
        size_multiple: Number of pixels at whose multiples tiles begin.
        supports_bfloat16: Whether it may compute in bfloat16.
    """

    def __init__(
        self,
        model: nn.Module,
        call: Callable[[Tensor], Tensor],
        *,
        name: str,
        in_chans: int,
        out_chans: int,
        upscale: int,
        size_multiple: int = 1,
        supports_bfloat16: bool = True,
    ) -> None:
        super().__init__(in_chans, out_chans, upscale, size_multiple)
        self.model = model
        self.name = name
        self.supports_bfloat16 = supports_bfloat16
        self._call = call

    def forward(self, x: Tensor) -> Tensor:
        """Restore images; see `RestorationNetwork.forward`."""
        if x.dim() != 4 or x.shape[1] != self.in_chans:
            raise InputError(
                f"{self.name} takes images of shape (B, {self.in_chans}, H, W), "
                f"got {tuple(x.shape)}"
            )
        return self.restore(x)

    def restore(self, x: Tensor) -> Tensor:
        """Restore images of any size; see `forward`. The network pads and crops by itself."""
        restored = self._call(x)
        # others compute in inference mode, whose tensors the caller could not change any more
        wanted = restored.is_inference() and not torch.is_inference_mode_enabled()
        return restored.clone() if wanted else restored
