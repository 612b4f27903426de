"""Gaussian denoising: clean images, noise made on the fly."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import torch
from numpy.typing import NDArray
from torch import Tensor

from semanir_arch.data.datasets.clean_images import CleanImageDataset, Pair
from semanir_arch.data.datasets.dataset_options import checked_choice
from semanir_arch.data.datasets.training_patch import to_tensor
from semanir_arch.data.degradations.noise import (
    MAX_SIGMA,
    NOISE_CONVENTIONS,
    benchmark_noise,
    random_gaussian_noise,
)
from semanir_arch.utils.options import Option, Strength


class GaussianDenoisingDataset(CleanImageDataset):
    """Clean images and noisy versions of them; `lq` is neither clipped nor rounded.

    Outside training, the noise is that of a published test script. See `CleanImageDataset`.
    """

    OPTIONS: ClassVar[dict[str, Option]] = {
        **CleanImageDataset.OPTIONS,
        "sigma": Option(
            Strength(0, MAX_SIGMA),
            help="noise standard deviation on the 0-255 scale: number, [low, high] or "
            "{list: [values]}; a number outside training",
            evaluation=Strength(0, MAX_SIGMA).number,
        ),
        "noise_convention": Option(
            str,
            default="numpy_hwc_rgb",
            choices=tuple(NOISE_CONVENTIONS),
            help="how test noise is drawn",
        ),
    }

    def configure(self) -> None:
        """Check and keep the options of this class."""
        self.sigma = self.constant_level(self.level("sigma"), "sigma")
        self.noise_convention = checked_choice(
            self.options, "noise_convention", tuple(NOISE_CONVENTIONS)
        )

    def degrade(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """Add noise of a drawn strength."""
        return random_gaussian_noise(image, self.sigma, generator)[0]

    def evaluation_pair(self, pixels: NDArray[Any], index: int) -> Pair:
        """Image with the noise of the convention, and clean image."""
        gt = to_tensor(pixels)
        name = Path(self.source.path(index)).name
        return benchmark_noise(gt, self.sigma.values[0], self.noise_convention, name), gt
