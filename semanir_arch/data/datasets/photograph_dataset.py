"""Real photographs, imitated: clean images as cameras, phones and their files would show them.

Sources are enlarged or reduced first. Photographs at hand were mostly reduced, and are sharper than
a picture as a camera makes it; how soft the sources are decides more than any other setting.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semanir_arch.data.datasets.clean_images import CleanImageDataset, Pair
from semanir_arch.data.datasets.training_patch import TrainingPatch
from semanir_arch.data.degradations import camera, correlated_noise
from semanir_arch.data.degradations.camera_finish import FILTERS, resize
from semanir_arch.data.degradations.damage import Damage
from semanir_arch.data.degradations.declaration import (
    Chance,
    Declared,
    Number,
    Settings,
    Shares,
    as_block,
    parse_settings,
    pick,
)
from semanir_arch.data.degradations.noise import MAX_SIGMA
from semanir_arch.data.degradations.sharing import NOTHING, draw_sharing, share
from semanir_arch.data.degradations.sharing import SETTINGS as SHARING
from semanir_arch.data.files.image_io import to_float
from semanir_arch.data.randomness import named_generator, numpy_generator
from semanir_arch.utils.errors import InputError, UserError
from semanir_arch.utils.options import Bounds, Option, hint

Pixels = NDArray[np.float32]
Imitation = Callable[[Pixels, "np.random.Generator | None"], Pixels]
"""Makes the damaged picture, or, without a generator, its target of the same size."""

KINDS = Shares(
    {"camera": 0.44, "correlated": 0.26, "gaussian": 0.12, "compressed": 0.05, "clean": 0.13},
    "shares of the kinds of damage; kinds that are not named do not occur",
)
"""Declarations of the options of the same names."""

SOURCES: Declared = {
    "soft_prob": Chance(0.8, "share of sources enlarged for `camera` and `correlated`"),
    "soft_prob_others": Chance(0.2, "share of sources enlarged for all other kinds"),
    "enlarge": Number([1.2, 3], 1, 8, "factor of enlarged sources"),
    "other": Number([0.6, 1.3], 0.1, 8, "factor of other sources"),
}
"""Settings of the resizing of sources."""

SIGMA = Number(
    [0, 50],
    0,
    MAX_SIGMA,
    "standard deviation of kind gaussian: white noise, 0-255 scale, neither clipped nor rounded",
)
"""Standard deviation of kind gaussian; that of a `GaussianDenoisingDataset` has no default."""

_EDGE = 4
"""Pixels at the border that are cut off, for what is mirrored there."""

_GRID = 16
"""Places at which the grid of a compressed patch may begin."""


class PhotographDataset(CleanImageDataset):
    """Clean images, and what a camera, noise or a file makes of them.

    The target is what came out without noise and without compression: it has the sharpness of the
    input. In training, every patch draws its source's size, its kind and everything else. In
    evaluation, images of one name always get the same; they keep at most their size. Color only.
    """

    DAMAGE: ClassVar[Damage | None] = camera.DAMAGE

    OPTIONS: ClassVar[dict[str, Option]] = {
        **CleanImageDataset.OPTIONS,
        "mixture": KINDS.option(),
        "sources": as_block(SOURCES, {}, "changes of photograph_dataset.SOURCES"),
        "camera": as_block(camera.SETTINGS, {}, "changes of degradations.camera.SETTINGS"),
        "correlated": as_block(
            correlated_noise.SETTINGS, {}, "changes of degradations.correlated_noise.SETTINGS"
        ),
        "compressed": as_block(
            SHARING, {"codec_prob": 1}, "changes of degradations.sharing.SETTINGS, without noise"
        ),
        "sigma": SIGMA.option(),
        "seed": Option(
            Annotated[int, Bounds(0, 2**31 - 1)],
            default=0,
            help="seed of the random numbers outside training",
        ),
    }

    def configure(self) -> None:
        """Check and keep the options of this class."""
        if self.channels != 3:
            raise InputError("channels must be 3: cameras are simulated in color only")
        self.kinds = KINDS.parse("mixture", self.options["mixture"])
        self.sources = self._block("sources", SOURCES)
        self.camera = self._block("camera", camera.SETTINGS)
        self.correlated = self._block("correlated", correlated_noise.SETTINGS)
        self.compressed = self._block("compressed", SHARING)
        self.sigma = self.level("sigma")

    def training_pair(self, patch: TrainingPatch, generator: torch.Generator) -> Pair:
        """Damaged patch and its target."""
        rng = numpy_generator(generator)
        kind = pick(self.kinds, rng)
        factor, method = self._draw_source(kind, rng)
        damage, scale = self._draw_damage(kind, rng, generator)
        needed = patch.size + _GRID + 2 * _EDGE
        # one pixel for rounding, eight for what a second file cuts off
        taken = math.ceil(needed / scale) + 9
        seen = math.ceil(taken / factor)
        around = -(-(seen - patch.size) // 2)
        source = to_float(patch.pixels(around))
        taken = round(len(source) * factor)
        source = resize(source, taken, taken, method).clip(0, 1)
        lq, gt = damage(source, rng), damage(source, None)
        top, left = (
            int(rng.integers(_EDGE, side - patch.size - _EDGE + 1)) for side in gt.shape[:2]
        )
        window = np.s_[top : top + patch.size, left : left + patch.size]
        return _to_tensor(lq[window]), _to_tensor(gt[window])

    def evaluation_pair(self, pixels: NDArray[Any], index: int) -> Pair:
        """Damaged image and its target, of the middle of the image where that is enlarged."""
        generator = named_generator(self._names[index], self.options["seed"])
        rng = numpy_generator(generator)
        kind = pick(self.kinds, rng)
        factor, method = self._draw_source(kind, rng)
        damage, scale = self._draw_damage(kind, rng, generator)
        height, width = pixels.shape[:2]
        rows, columns = (
            min(side, math.ceil((side + 9) / (scale * factor))) for side in (height, width)
        )
        top, left = (height - rows) // 2, (width - columns) // 2
        source = to_float(pixels[top : top + rows, left : left + columns])
        made = [max(3, round(side * factor)) for side in (rows, columns)]
        source = resize(source, made[0], made[1], method).clip(0, 1)
        lq, gt = damage(source, rng), damage(source, None)
        return _to_tensor(lq[:height, :width]), _to_tensor(gt[:height, :width])

    def _block(self, key: str, declared: Declared) -> Settings:
        """The settings of an option that is a block of them."""
        given = self.options[key]
        for name in given:
            if name not in declared:
                raise InputError(f"{key}:{name} is unknown; {hint(str(name), declared)}")
        try:
            return parse_settings(declared, given)
        except UserError as error:
            raise InputError(f"{key}:{error}") from error

    def _draw_source(self, kind: str, rng: np.random.Generator) -> tuple[float, str]:
        """Factor by which the source is resized, and how."""
        name = "soft_prob" if kind in ("camera", "correlated") else "soft_prob_others"
        enlarged, other = (self.sources[key].at(rng.random()) for key in ("enlarge", "other"))
        factor = enlarged if rng.random() < self.sources[name] else other
        methods = [key for key in FILTERS if key != "area"]
        method = methods[rng.integers(len(methods))]
        return factor, "area" if factor < 1 else method

    def _draw_damage(
        self, kind: str, rng: np.random.Generator, generator: torch.Generator
    ) -> tuple[Imitation, float]:
        """Draw the damage of a source, and the factor by which it changes the size."""
        if kind == "camera":
            drawn = camera.draw_camera(self.camera, rng)
            return lambda image, noise: camera.photograph(image, drawn, noise), _scale(drawn)
        if kind == "correlated":
            noise_drawn = correlated_noise.draw_correlated_noise(self.correlated, rng)
            return (
                lambda image, noise: correlated_noise.add_correlated_noise(
                    image, noise_drawn, noise
                ),
                _scale(noise_drawn),
            )
        sharing = NOTHING
        if kind == "compressed":
            sharing = draw_sharing(self.compressed, rng)
        if kind == "gaussian":
            sigma = self.sigma.draw(generator) / 255
            return lambda image, noise: _add_white(image, sigma, noise), 1.0
        return (
            lambda image, noise: share(image, sharing, is_lossy=noise is not None),
            sharing.total_scale,
        )


def _scale(drawn: camera.Camera | correlated_noise.CorrelatedNoise) -> float:
    return drawn.sharing.total_scale


def _add_white(image: Pixels, sigma: float, rng: np.random.Generator | None) -> Pixels:
    if rng is None:
        return image
    return image + np.float32(sigma) * rng.standard_normal(image.shape, np.float32)


def _to_tensor(image: Pixels) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
