"""The data set that makes any declared damage, and the names under which it is registered.

A damage is declared in `semanir_arch.data.degradations`; here it gets the name that option files
use. Data sets whose damage depends on more than an image, its settings and randomness have modules
of their own: `bicubic_sr_dataset`, `demosaicking_dataset`, `gaussian_denoising_dataset`,
`jpeg_compression_dataset` and `photograph_dataset`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semanir_arch.data.datasets.clean_images import CleanImageDataset, Pair
from semanir_arch.data.datasets.training_patch import TrainingPatch
from semanir_arch.data.degradations.damage import SCALE, Damage, DrawnDamage, Floats, Recipe
from semanir_arch.data.degradations.declaration import Number, as_options, parse_settings
from semanir_arch.data.degradations.defocus import DAMAGE as DEFOCUS
from semanir_arch.data.degradations.exposure import DAMAGE as PHOTOGRAPHIC_BLUR
from semanir_arch.data.degradations.levels import Level
from semanir_arch.data.degradations.low_light import DAMAGE as LOW_LIGHT
from semanir_arch.data.degradations.matlab_resize import crop_to_multiple
from semanir_arch.data.degradations.motion import DAMAGE as MOTION
from semanir_arch.data.degradations.old_photograph import DAMAGE as OLD_PHOTOGRAPH
from semanir_arch.data.degradations.rain import DAMAGE as RAIN
from semanir_arch.data.degradations.raindrops import DAMAGE as RAINDROPS
from semanir_arch.data.degradations.second_order import DAMAGE as SECOND_ORDER
from semanir_arch.data.degradations.shuffled import DAMAGE as SHUFFLED
from semanir_arch.data.degradations.snow import DAMAGE as SNOW
from semanir_arch.data.files.image_io import to_float
from semanir_arch.data.randomness import named_generator, numpy_generator
from semanir_arch.utils.errors import InputError

_BLOCK = 8


class DegradedDataset(CleanImageDataset):
    """Clean images and damaged versions of them, perhaps smaller ones; see `CleanImageDataset`.

    A subclass names a damage, whose settings become its options. A recipe damages a training patch
    with its surroundings, of which a random part is left out at the top and the left, so that the
    blocks of JPEG begin anywhere.
    """

    def __init_subclass__(cls, damage: Damage | None = None) -> None:
        """Take over the settings of a damage as options, before those of the class.

        Args:
            damage: A `DrawnDamage` or a `Recipe`; None for that of the base class.
        """
        super().__init_subclass__()
        if damage is not None:
            cls.DAMAGE = damage
            own = cls.__dict__.get("OPTIONS", {})
            cls.OPTIONS = {**CleanImageDataset.OPTIONS, **as_options(damage.settings), **own}

    @classmethod
    def pixel_ratio(cls, options: Mapping[str, Any]) -> int:
        """Pixels of `gt` per pixel of `lq`: `scale`, where the damage can reduce by it."""
        scale = options.get(SCALE, 1)
        return int(scale) if scale in cls._scales() else 1

    @classmethod
    def _scales(cls) -> tuple[int, ...]:
        return cls.DAMAGE.scales if isinstance(cls.DAMAGE, Recipe) else (1,)

    def configure(self) -> None:
        """Check and keep the options of this class.

        Raises:
            ValueError: One has a value that is not allowed.
        """
        declared = self.DAMAGE.settings if self.DAMAGE else {}
        self.settings = parse_settings(declared, self.options)
        for name, setting in declared.items():
            if isinstance(setting, Number) and setting.constant:
                self.constant_level(self.settings[name], name)
        self.scale = 1
        if isinstance(self.DAMAGE, Recipe):
            self.scale = self.opt.get(SCALE, 1)
            if self.scale not in self._scales():
                allowed = ", ".join(map(str, self._scales()))
                raise InputError(f"scale must be one of {allowed}, received {self.scale!r}")

    @property
    def step(self) -> int:
        """Patches of both images must begin at whole pixels."""
        return int(self.scale)

    @property
    def margin(self) -> int:
        """Pixels around a patch that decide about it."""
        return self.DAMAGE.reach(self.settings) if isinstance(self.DAMAGE, DrawnDamage) else 0

    def degrade(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """Damage an image by drawn strengths; see `CleanImageDataset.degrade`."""
        assert isinstance(self.DAMAGE, DrawnDamage)
        # unlike in files, a constant uses up randomness, too: trainings depend on it
        values = {
            name: value.draw(generator) if isinstance(value, Level) else value
            for name, value in self.settings.items()
        }
        return self.DAMAGE.apply(image, values, generator)

    def training_pair(self, patch: TrainingPatch, generator: torch.Generator) -> Pair:
        """Damaged and clean patch."""
        if not isinstance(self.DAMAGE, Recipe):
            return super().training_pair(patch, generator)
        rng, around = numpy_generator(generator), self.DAMAGE.surroundings
        surrounded = patch.pixels(around * self.scale)
        down, right = (int(length) for length in rng.integers(0, _BLOCK, 2))
        kept = _floats(surrounded[down * self.scale :, right * self.scale :])
        damaged, target = self.DAMAGE.apply(kept, self._given, rng)
        top, left = around - down, around - right
        return _crop(damaged, top, left, patch.size // self.scale), _crop(
            target, top * self.scale, left * self.scale, patch.size
        )

    def evaluation_pair(self, pixels: NDArray[Any], index: int) -> Pair:
        """Damaged image, and clean image cut to a multiple of the scale."""
        if not isinstance(self.DAMAGE, Recipe):
            return super().evaluation_pair(pixels, index)
        rng = numpy_generator(named_generator(self._names[index]))
        clean = _floats(crop_to_multiple(pixels, self.scale))
        damaged, target = self.DAMAGE.apply(clean, self._given, rng)
        return _tensor(damaged), _tensor(target)

    @property
    def _given(self) -> dict[str, Any]:
        """Options that a recipe gets."""
        return {**self.settings, SCALE: self.scale}


class SyntheticMotionBlurDataset(DegradedDataset, damage=MOTION):
    """Clean images and ones blurred by random trajectories, see `motion_kernel`."""


class SyntheticDefocusDataset(DegradedDataset, damage=DEFOCUS):
    """Clean images and ones blurred by discs, see `disc_kernel`."""


class SyntheticRainDataset(DegradedDataset, damage=RAIN):
    """Clean images and rainy versions of them, see `rain_streaks`."""


class SyntheticSnowDataset(DegradedDataset, damage=SNOW):
    """Clean images and snowy versions of them, see `snow`."""


class SyntheticRaindropsDataset(DegradedDataset, damage=RAINDROPS):
    """Clean images and ones behind drawn drops, see `raindrops`."""


class SyntheticLowLightDataset(DegradedDataset, damage=LOW_LIGHT):
    """Clean images and dark, noisy versions of them, see `low_light`."""


class SecondOrderDataset(DegradedDataset, damage=SECOND_ORDER):
    """Clean images and ones damaged twice as Real-ESRGAN does, see `second_order`.

    `opt` has `scale` too, 1 to 4.
    """


class ShuffledDamageDataset(DegradedDataset, damage=SHUFFLED):
    """Clean images and ones damaged as BSRGAN does, see `shuffled`.

    `opt` has `scale` too, 1 to 4.
    """


class PhotographicBlurDataset(DegradedDataset, damage=PHOTOGRAPHIC_BLUR):
    """Clean images and ones blurred in light, with noise and a file, see `photographic_blur`."""


class OldPhotographDataset(DegradedDataset, damage=OLD_PHOTOGRAPH):
    """Clean images and old ones, see `age`.

    Where the colors are gone, the target is gray: nobody can know them.
    """


DEGRADED: tuple[type[DegradedDataset], ...] = (
    SyntheticMotionBlurDataset,
    SyntheticDefocusDataset,
    SyntheticRainDataset,
    SyntheticSnowDataset,
    SyntheticRaindropsDataset,
    SyntheticLowLightDataset,
    SecondOrderDataset,
    ShuffledDamageDataset,
    PhotographicBlurDataset,
    OldPhotographDataset,
)
"""All of them. Damages from motion to low light are demonstrations for tasks without real pairs at
hand; published sets are read by `PairedRestorationDataset`."""


def _crop(image: Floats, top: int, left: int, side: int) -> Tensor:
    return _tensor(image[top : top + side, left : left + side])


def _floats(pixels: NDArray[Any]) -> Floats:
    return to_float(np.ascontiguousarray(pixels))


def _tensor(image: Floats) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
