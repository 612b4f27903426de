"""Desnowing for demonstrations: clean images with drawn snow.

A demonstration for a task without real pairs at hand; published sets are read by
`PairedRestorationDataset`.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from semanir_arch.data.datasets.clean_images import CleanImageDataset
from semanir_arch.data.degradations.snow import LIMITS, snow
from semanir_arch.utils.options import Option, Strength


class SyntheticSnowDataset(CleanImageDataset):
    """Clean images and snowy versions of them, see `snow` and `CleanImageDataset`."""

    OPTIONS: ClassVar[dict[str, Option]] = {
        **CleanImageDataset.OPTIONS,
        "amount": Option(
            Strength(*LIMITS["amount"]),
            default=[10, 80],
            help="flakes per 10,000 pixels, 0 to 1000: number, [low, high] or {list: [values]}",
        ),
        "size": Option(
            Strength(*LIMITS["size"]),
            default=[2, 7],
            help="radius of the nearest flakes in pixels, 0.5 to 16, in the same forms",
        ),
        "wind": Option(
            Strength(*LIMITS["wind"]),
            default=[-40, 40],
            help="direction to the vertical in degrees, -60 to 60, in the same forms",
        ),
        "veil": Option(
            Strength(*LIMITS["veil"]),
            default=[0, 0.3],
            help="opacity of fine snow, 0 to 1, in the same forms",
        ),
    }

    def configure(self) -> None:
        """Check and keep the options of this class."""
        self.amount = self.level("amount")
        self.size = self.level("size")
        self.wind = self.level("wind")
        self.veil = self.level("veil")

    def degrade(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """Add snow."""
        return snow(
            image,
            self.amount.draw(generator),
            self.size.draw(generator),
            self.wind.draw(generator),
            self.veil.draw(generator),
            generator,
        )
