"""Deraining for demonstrations: clean images with drawn rain streaks.

A demonstration for a task without real pairs at hand; published sets are read by
`PairedRestorationDataset`.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from semanir_arch.data.datasets.clean_images import CleanImageDataset
from semanir_arch.data.degradations.rain import LIMITS, rain_streaks
from semanir_arch.utils.options import Option, Strength


class SyntheticRainDataset(CleanImageDataset):
    """Clean images and rainy versions of them, see `rain_streaks` and `CleanImageDataset`."""

    OPTIONS: ClassVar[dict[str, Option]] = {
        **CleanImageDataset.OPTIONS,
        "amount": Option(
            Strength(*LIMITS["amount"]),
            default=[10, 80],
            help="streaks per 10,000 pixels, 0 to 1000: number, [low, high] or {list: [values]}",
        ),
        "length": Option(
            Strength(*LIMITS["length"]),
            default=[10, 40],
            help="length of the nearest streaks in pixels, 1 to 64, in the same forms",
        ),
        "angle": Option(
            Strength(*LIMITS["angle"]),
            default=[-30, 30],
            help="angle to the vertical in degrees, -60 to 60, in the same forms",
        ),
        "brightness": Option(
            Strength(*LIMITS["brightness"]),
            default=[0.4, 0.9],
            help="opacity of the brightest streaks, 0 to 1, in the same forms",
        ),
    }

    def configure(self) -> None:
        """Check and keep the options of this class."""
        self.amount = self.level("amount")
        self.length = self.level("length")
        self.angle = self.level("angle")
        self.brightness = self.level("brightness")

    def degrade(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """Add rain."""
        return rain_streaks(
            image,
            self.amount.draw(generator),
            self.length.draw(generator),
            self.angle.draw(generator),
            self.brightness.draw(generator),
            generator,
        )
