"""Demosaicking: clean color images, seen through a Bayer filter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar

import torch
from numpy.typing import NDArray
from torch import Tensor

from semanir_arch.data.datasets.clean_images import CleanImageDataset, Pair
from semanir_arch.data.datasets.dataset_options import checked_choice
from semanir_arch.data.datasets.training_patch import TrainingPatch, to_tensor, without_margin
from semanir_arch.data.degradations.bayer import (
    INTERPOLATED,
    PHASE,
    PHASES,
    REACH,
    demosaic_linear,
    mosaic,
    pack,
)
from semanir_arch.data.degradations.damage import Damage
from semanir_arch.data.degradations.matlab_resize import crop_to_multiple
from semanir_arch.utils.errors import InputError
from semanir_arch.utils.options import Bounds, Option

INPUTS: dict[str, Callable[[Tensor, str], Tensor]] = {
    "linear": lambda image, phase: demosaic_linear(mosaic(image, phase), phase).clamp(0, 1),
    "mosaic": mosaic,
    "packed": lambda image, phase: pack(mosaic(image, phase), phase),
}
"""Inputs that a network may get, from the clean image (3, H, W) and the phase."""


class DemosaickingDataset(CleanImageDataset):
    """Clean color images and what a sensor with a Bayer filter records of them.

    Patches are recorded after they are cropped and turned, so that every item has the same phase.
    `lq` has the size of `gt`, or half of it for `packed`. See `CleanImageDataset`.
    """

    DAMAGE: ClassVar[Damage | None] = INTERPOLATED

    OPTIONS: ClassVar[dict[str, Option]] = {
        **CleanImageDataset.OPTIONS,
        "channels": Option(int, default=3, choices=(3,), help="channels of the clean images: RGB"),
        "bayer": PHASE.option(),
        "input": Option(
            str,
            default="linear",
            choices=tuple(INPUTS),
            help="linear: (3, H, W), interpolated as MATLAB does, clipped, not rounded; mosaic: "
            "(1, H, W); packed: (4, H/2, W/2), red, green, green, blue",
        ),
        "modulo": Option(
            Annotated[int, Bounds(2, 4096, multiple_of=2)],
            default=2,
            help="outside training, images are cut to multiples of it: 2 or more pixels, even; 8 "
            "in GRL's tables",
        ),
    }

    @classmethod
    def input_channels(cls, options: Mapping[str, Any]) -> int:
        """Channels of `lq`, from complete options."""
        return {"linear": 3, "mosaic": 1, "packed": 4}[options["input"]]

    @classmethod
    def pixel_ratio(cls, options: Mapping[str, Any]) -> int:
        """Pixels of `gt` per pixel of `lq`: a packed mosaic has half the size."""
        return 2 if options["input"] == "packed" else 1

    def configure(self) -> None:
        """Check and keep the options of this class."""
        checked_choice(self.options, "channels", (3,))
        self.bayer = checked_choice(self.options, "bayer", PHASES)
        self.input = checked_choice(self.options, "input", tuple(INPUTS))
        self.modulo = self.options["modulo"]
        if self.modulo < 2 or self.modulo % 2:
            raise InputError(f"modulo must be even, 2 or more, received {self.modulo}")

    @property
    def input_view(self) -> slice | None:
        """Channels of `lq` that are a picture: none of a packed mosaic."""
        return None if self.input == "packed" else slice(None)

    @property
    def step(self) -> int:
        """Even sides for `packed`."""
        return 2 if self.input == "packed" else 1

    def training_pair(self, patch: TrainingPatch, generator: torch.Generator) -> Pair:
        """Recorded and clean patch."""
        del generator
        # even, so that the patch within has the phase of the whole
        margin = REACH if self.input == "linear" else 0
        surrounded = to_tensor(patch.pixels(margin))
        lq = self._record(surrounded)
        return without_margin(lq, margin), without_margin(surrounded, margin)

    def evaluation_pair(self, pixels: NDArray[Any], index: int) -> Pair:
        """Recorded and clean image."""
        del index
        gt = to_tensor(crop_to_multiple(pixels, self.modulo))
        return self._record(gt), gt

    def _record(self, image: Tensor) -> Tensor:
        return INPUTS[self.input](image, self.bayer)
