"""Raindrop removal for demonstrations: clean images behind drawn drops.

A demonstration for a task without real pairs at hand; published sets are read by
`PairedRestorationDataset`.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from semanir_arch.data.datasets.clean_images import CleanImageDataset
from semanir_arch.data.degradations.raindrops import LIMITS, raindrops
from semanir_arch.utils.options import Option, Strength


class SyntheticRaindropsDataset(CleanImageDataset):
    """Clean images and covered versions of them, see `raindrops` and `CleanImageDataset`."""

    OPTIONS: ClassVar[dict[str, Option]] = {
        **CleanImageDataset.OPTIONS,
        "amount": Option(
            Strength(*LIMITS["amount"]),
            default=[1, 5],
            help="drops per 10,000 pixels, 0 to 100: number, [low, high] or {list: [values]}",
        ),
        "size": Option(
            Strength(*LIMITS["size"]),
            default=[8, 24],
            help="radius of the largest drops in pixels, 1 to 64, in the same forms",
        ),
    }

    def configure(self) -> None:
        """Check and keep the options of this class."""
        self.amount = self.level("amount")
        self.size = self.level("size")

    def degrade(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """Add drops."""
        return raindrops(image, self.amount.draw(generator), self.size.draw(generator), generator)
