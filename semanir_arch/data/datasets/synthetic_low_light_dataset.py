"""Low-light enhancement for demonstrations: clean images, darkened, with noise.

A demonstration for a task without real pairs at hand; published sets are read by
`PairedRestorationDataset`.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from semanir_arch.data.datasets.clean_images import CleanImageDataset
from semanir_arch.data.degradations.low_light import LIMITS, low_light
from semanir_arch.utils.options import Option, Strength


class SyntheticLowLightDataset(CleanImageDataset):
    """Clean images and dark versions of them, see `low_light` and `CleanImageDataset`."""

    OPTIONS: ClassVar[dict[str, Option]] = {
        **CleanImageDataset.OPTIONS,
        "exposure": Option(
            Strength(*LIMITS["exposure"]),
            default=[0.05, 0.3],
            help="part of the light that is left, 0.001 to 1: number, [low, high] or "
            "{list: [values]}",
        ),
        "electrons": Option(
            Strength(*LIMITS["electrons"]),
            default=[500, 5000],
            help="electrons counted at white, 1 to 1e6, in the same forms",
        ),
        "read_noise": Option(
            Strength(*LIMITS["read_noise"]),
            default=[1, 5],
            help="standard deviation in electrons, 0 to 1000, in the same forms",
        ),
    }

    def configure(self) -> None:
        """Check and keep the options of this class."""
        self.exposure = self.level("exposure")
        self.electrons = self.level("electrons")
        self.read_noise = self.level("read_noise")

    def degrade(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """Take away light, add noise."""
        return low_light(
            image,
            self.exposure.draw(generator),
            self.electrons.draw(generator),
            self.read_noise.draw(generator),
            generator,
        )
