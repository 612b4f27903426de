"""Mixup of image pairs: a batch is blended with itself in another order.

Zhang et al., arXiv 1710.09412; with identity as Restormer (arXiv 2111.09881) trains denoising.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from torch import Tensor

from semanir_arch.utils.errors import InputError
from semanir_arch.utils.options import Bounds, Option, read_options

__all__ = ["OPTIONS", "Mixup", "blend"]

OPTIONS = {
    "mixup": Option(bool, default=False, help="blend every batch with a shuffled copy of itself"),
    "mixup_beta": Option(
        Annotated[float, Bounds(above=0, most=1000)],
        default=1.2,
        help="both parameters of the Beta distribution of the weight, above 0",
    ),
    "use_identity": Option(bool, default=True, help="leave half of the batches as they are"),
}


def blend(images: Tensor, order: Tensor, weight: float) -> Tensor:
    """`weight` times each image plus `1 - weight` times the one that `order` puts in its place.

    Args:
        images: Shape (B, C, H, W).
        order: Permutation of 0 .. B - 1.
        weight: Weight in [0, 1].
    """
    return weight * images + (1 - weight) * images[order]


@dataclass(frozen=True)
class Mixup:
    """Draws from torch's global generator, which the training loop seeds in every iteration.

    Args:
        beta: Both parameters of the Beta distribution of the weight.
        use_identity: Whether half of the batches, drawn by chance, stay as they are.

    Raises:
        ValueError: `beta` is not above 0.
    """

    beta: float
    use_identity: bool

    def __post_init__(self) -> None:
        if self.beta <= 0:
            raise InputError(f"train:mixing_augs:mixup_beta: received {self.beta}; must be above 0")

    @classmethod
    def read(cls, block: Mapping[str, Any] | None) -> Mixup | None:
        """Read the option block `train.mixing_augs`; None if it asks for none."""
        options = read_options(OPTIONS, block or {})
        return cls(options["mixup_beta"], options["use_identity"]) if options["mixup"] else None

    def __call__(self, lq: Tensor, gt: Tensor) -> tuple[Tensor, Tensor]:
        """Blend inputs and targets, (B, C, H, W) each, with one weight in one order."""
        weight = float(torch.distributions.Beta(self.beta, self.beta).sample())
        order = torch.randperm(len(lq))
        if self.use_identity and torch.rand(()) < 0.5:
            return lq, gt
        order = order.to(lq.device)
        return blend(lq, order, weight), blend(gt, order, weight)
