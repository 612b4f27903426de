"""Super-resolution: clean images, reduced on the fly as MATLAB reduces them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from numpy.typing import NDArray

from semanir_arch.data.datasets.clean_images import CleanImageDataset, Pair
from semanir_arch.data.datasets.dataset_options import checked_choice
from semanir_arch.data.datasets.training_patch import TrainingPatch, to_tensor
from semanir_arch.data.degradations.bicubic import DAMAGE, ROUNDINGS, SETTINGS
from semanir_arch.data.degradations.damage import Damage
from semanir_arch.data.degradations.matlab_resize import crop_to_multiple
from semanir_arch.utils.errors import InputError
from semanir_arch.utils.options import Option

# pixels of the reduced image: the kernel reaches over two of them, from a centre between two
_MARGIN = 3


class BicubicSRDataset(CleanImageDataset):
    """Clean images and bicubic reductions of them.

    `lq` is a crop of the reduced image, to the last bit. See `CleanImageDataset`; `opt` has `scale`
    too, an integer of 2 or more.
    """

    DAMAGE: ClassVar[Damage | None] = DAMAGE

    OPTIONS: ClassVar[dict[str, Option]] = {
        **CleanImageDataset.OPTIONS,
        "rounding": SETTINGS["rounding"].option(),
    }

    @classmethod
    def pixel_ratio(cls, options: Mapping[str, Any]) -> int:
        """Pixels of `gt` per pixel of `lq`: `scale`, which is 2 or more."""
        return max(2, int(options["scale"]))

    def configure(self) -> None:
        """Check and keep the options of this class."""
        self.rounding = checked_choice(self.options, "rounding", tuple(ROUNDINGS))
        scale = self.opt.get("scale")
        if not isinstance(scale, int) or scale < 2:
            raise InputError(f"scale must be an integer of 2 or more, received {scale!r}")
        self.scale = scale

    @property
    def step(self) -> int:
        """Patches of both images must begin at whole pixels."""
        return self.scale

    def training_pair(self, patch: TrainingPatch, generator: torch.Generator) -> Pair:
        """Patch of the reduced image, and clean patch."""
        del generator
        margin = _MARGIN * self.scale
        top, left = max(0, patch.top - margin), max(0, patch.left - margin)
        bottom, right = (start + patch.size + margin for start in (patch.top, patch.left))
        reduced = self._reduce(patch.window(top, left, bottom, right))
        rows, columns = (
            slice((start - first) // self.scale, (start - first + patch.size) // self.scale)
            for start, first in ((patch.top, top), (patch.left, left))
        )
        return to_tensor(patch.turned(reduced[rows, columns])), to_tensor(patch.pixels())

    def evaluation_pair(self, pixels: NDArray[Any], index: int) -> Pair:
        """Reduced image, and clean image cut to a multiple of the scale."""
        del index
        pixels = crop_to_multiple(pixels, self.scale)
        return to_tensor(self._reduce(pixels)), to_tensor(pixels)

    def _reduce(self, pixels: NDArray[Any]) -> NDArray[Any]:
        return ROUNDINGS[self.rounding](pixels, 1 / self.scale)
