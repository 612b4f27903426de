"""Gaussian denoising: clean images, noise made on the fly."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from numpy.typing import NDArray

from semanir_arch.data.datasets.clean_images import Pair
from semanir_arch.data.datasets.dataset_options import checked_choice
from semanir_arch.data.datasets.degraded import DegradedDataset
from semanir_arch.data.datasets.training_patch import to_tensor
from semanir_arch.data.degradations.noise import DAMAGE, NOISE_CONVENTIONS, noise_of_testset
from semanir_arch.utils.options import Option


class GaussianDenoisingDataset(DegradedDataset, damage=DAMAGE):
    """Clean images and noisy versions of them; `lq` is neither clipped nor rounded.

    Outside training, the noise is that of a published test script. See `CleanImageDataset`.
    """

    OPTIONS: ClassVar[dict[str, Option]] = {
        "noise_convention": Option(
            str,
            default="numpy_hwc_rgb",
            choices=tuple(NOISE_CONVENTIONS),
            help="how test noise is drawn",
        ),
    }

    def configure(self) -> None:
        """Check and keep the options of this class."""
        super().configure()
        self.noise_convention = checked_choice(
            self.options, "noise_convention", tuple(NOISE_CONVENTIONS)
        )

    def evaluation_pair(self, pixels: NDArray[Any], index: int) -> Pair:
        """Image with the noise of the convention, and clean image."""
        gt = to_tensor(pixels)
        name = Path(self.source.path(index)).name
        sigma = self.settings["sigma"].values[0]
        return noise_of_testset(gt, sigma, self.noise_convention, name), gt
