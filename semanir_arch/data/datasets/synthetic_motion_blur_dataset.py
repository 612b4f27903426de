"""Motion deblurring for demonstrations: clean images, blurred by random trajectories.

A demonstration for a task without real pairs at hand; published sets are read by
`PairedRestorationDataset`.
"""

from __future__ import annotations

from math import ceil
from typing import ClassVar

import torch
from torch import Tensor

from semanir_arch.data.datasets.clean_images import CleanImageDataset
from semanir_arch.data.degradations.blur import blur
from semanir_arch.data.degradations.motion import LIMITS, motion_kernel
from semanir_arch.utils.options import Option, Strength


class SyntheticMotionBlurDataset(CleanImageDataset):
    """Clean images and blurred versions of them, see `motion_kernel` and `CleanImageDataset`."""

    OPTIONS: ClassVar[dict[str, Option]] = {
        **CleanImageDataset.OPTIONS,
        "length": Option(
            Strength(*LIMITS["length"]),
            default=[5, 30],
            help="length of the trajectory in pixels, 0 to 64: number, [low, high] or "
            "{list: [values]}",
        ),
        "shake": Option(
            Strength(*LIMITS["shake"]),
            default=[0, 0.6],
            help="from 0 (straight) to 1 (trembling), in the same forms",
        ),
    }

    def configure(self) -> None:
        """Check and keep the options of this class."""
        self.length = self.level("length")
        self.shake = self.level("shake")

    @property
    def margin(self) -> int:
        """Number of pixels that the largest kernel reaches."""
        return ceil(max(self.length.values) / 2) + 2

    def degrade(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """Blur along a drawn trajectory."""
        length, shake = self.length.draw(generator), self.shake.draw(generator)
        return blur(image, motion_kernel(length, shake, generator))
