"""Defocus deblurring for demonstrations: clean images, blurred by discs.

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
from semanir_arch.data.degradations.defocus import LIMITS, disc_kernel
from semanir_arch.utils.options import Option, Strength


class SyntheticDefocusDataset(CleanImageDataset):
    """Clean images and blurred versions of them, see `disc_kernel` and `CleanImageDataset`."""

    OPTIONS: ClassVar[dict[str, Option]] = {
        **CleanImageDataset.OPTIONS,
        "radius": Option(
            Strength(*LIMITS["radius"]),
            default=[1, 8],
            help="radius of the disc in pixels, 0 to 32: number, [low, high] or {list: [values]}",
        ),
    }

    def configure(self) -> None:
        """Check and keep the options of this class."""
        self.radius = self.level("radius")

    @property
    def margin(self) -> int:
        """Number of pixels that the largest kernel reaches."""
        return ceil(max(self.radius.values))

    def degrade(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """Blur by a disc of a drawn size."""
        return blur(image, disc_kernel(self.radius.draw(generator)))
