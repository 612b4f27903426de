"""Data sets whose damage is a function of an image, declared settings and NumPy's randomness."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from semanir_arch.data.datasets.clean_images import CleanImageDataset, Pair
from semanir_arch.data.datasets.training_patch import TrainingPatch
from semanir_arch.data.degradations.declaration import Declared, parse_settings
from semanir_arch.data.degradations.matlab_resize import crop_to_multiple
from semanir_arch.data.files.image_io import to_float
from semanir_arch.data.randomness import named_generator, numpy_generator
from semanir_arch.utils.errors import InputError

Floats = NDArray[np.float32]

_BLOCK = 8


class DeclaredDamageDataset(CleanImageDataset):
    """Clean images and damaged versions of them, perhaps smaller ones.

    A subclass names its declaration in `DECLARED`, puts `as_options(DECLARED)` into `OPTIONS`, and
    says in `damage`, or `pair`, what is done. In training a patch is damaged with its
    surroundings, of which a random part is left out at the top and the left, so that the blocks of
    JPEG begin anywhere.
    """

    DECLARED: ClassVar[Declared] = {}
    """Settings of the damage."""

    SCALES: ClassVar[tuple[int, ...]] = (1,)
    """How many times smaller than the target the input may be."""

    SURROUNDINGS: ClassVar[int] = 16
    """Pixels of the result around a patch that are damaged with it; up to 7 of them are left out at
    the top and the left, the rest is for what reaches over the border."""

    @classmethod
    def pixel_ratio(cls, options: Mapping[str, Any]) -> int:
        """Pixels of `gt` per pixel of `lq`: `scale`, where this class can reduce by it."""
        scale = options.get("scale", 1)
        return int(scale) if scale in cls.SCALES else 1

    def configure(self) -> None:
        """Check and keep the options of this class.

        Raises:
            ValueError: One has a value that is not allowed.
        """
        self.settings = parse_settings(self.DECLARED, self.options)
        self.scale = self.opt.get("scale", 1)
        if self.scale not in self.SCALES:
            allowed = ", ".join(map(str, self.SCALES))
            raise InputError(f"scale must be one of {allowed}, received {self.scale!r}")

    @property
    def step(self) -> int:
        """Patches of both images must begin at whole pixels."""
        return int(self.scale)

    def damage(self, image: Floats, rng: np.random.Generator) -> Floats:
        """Damage an image.

        Args:
            image: (H, W, C) float32 in [0, 1]; sides are multiples of the scale.
            rng: Source of randomness.

        Returns:
            (H / scale, W / scale, C) float32 in [0, 1].
        """
        raise NotImplementedError(f"{type(self).__name__} must say what it does")

    def pair(self, image: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Damaged image and target; for damages that change what can be expected back.

        Args:
            image: Clean image, as for `damage`.
            rng: Source of randomness.

        Returns:
            Degraded image as `damage` returns it, and clean image (H, W, C) float32 in [0, 1].
        """
        return self.damage(image, rng), image

    def training_pair(self, patch: TrainingPatch, generator: torch.Generator) -> Pair:
        """Damaged and clean patch."""
        rng = numpy_generator(generator)
        margin = self.SURROUNDINGS * self.scale
        surrounded = patch.pixels(margin)
        down, right = (int(length) for length in rng.integers(0, _BLOCK, 2))
        kept = _floats(surrounded[down * self.scale :, right * self.scale :])
        damaged, target = self.pair(kept, rng)
        top, left = self.SURROUNDINGS - down, self.SURROUNDINGS - right
        return _crop(damaged, top, left, patch.size // self.scale), _crop(
            target, top * self.scale, left * self.scale, patch.size
        )

    def evaluation_pair(self, pixels: NDArray[Any], index: int) -> Pair:
        """Damaged image, and clean image cut to a multiple of the scale."""
        pixels = crop_to_multiple(pixels, self.scale)
        rng = numpy_generator(named_generator(self._names[index]))
        damaged, target = self.pair(_floats(pixels), rng)
        return _tensor(damaged), _tensor(target)


def _crop(image: Floats, top: int, left: int, side: int) -> torch.Tensor:
    return _tensor(image[top : top + side, left : left + side])


def _floats(pixels: NDArray[Any]) -> Floats:
    return to_float(np.ascontiguousarray(pixels))


def _tensor(image: Floats) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
