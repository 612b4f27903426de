"""Real photographs, imitated: clean images as cameras, phones and their files would show them.

Sources are enlarged or reduced first. Photographs at hand were mostly reduced, and are sharper than
a picture as a camera makes it; how soft the sources are decides more than any other setting.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semanir_arch.data.datasets.clean_images import LEVEL, CleanImageDataset, Pair
from semanir_arch.data.datasets.training_patch import TrainingPatch
from semanir_arch.data.degradations import camera, correlated_noise
from semanir_arch.data.degradations.camera_finish import FILTERS, resize
from semanir_arch.data.degradations.knobs import Knob, draw, read_knobs
from semanir_arch.data.degradations.noise import MAX_SIGMA
from semanir_arch.data.degradations.sharing import KNOBS as SHARING_KNOBS
from semanir_arch.data.degradations.sharing import NOTHING, draw_sharing, share
from semanir_arch.data.files.image_io import to_float
from semanir_arch.data.randomness import named_generator, numpy_generator
from semanir_arch.utils.options import Option

Pixels = NDArray[np.float32]
Damage = Callable[[Pixels, "np.random.Generator | None"], Pixels]
"""Makes the damaged picture, or, without a generator, its target of the same size."""

KINDS = ("camera", "correlated", "gaussian", "compressed", "clean")
"""What an image may go through: see the options of the same names, and `mixture`."""

SOURCE_KNOBS: dict[str, Knob] = {
    "soft_chance": Knob(
        (0.8, 0.8), (0, 1), "share of sources enlarged for `camera`, `correlated`", is_chance=True
    ),
    "soft_chance_others": Knob(
        (0.2, 0.2), (0, 1), "share of sources enlarged for all others", is_chance=True
    ),
    "enlarge": Knob((1.2, 3), (1, 8), "factor of enlarged sources"),
    "other": Knob((0.6, 1.3), (0.1, 8), "factor of other sources"),
}
"""How sources are resized."""

_EDGE = 4
"""Pixels at the border that are cut off, for what is mirrored there."""

_GRID = 16
"""Places at which the grid of a compressed patch may begin."""


class PhotographDataset(CleanImageDataset):
    """Clean images, and what a camera, noise or a file makes of them.

    The target is what came out without noise and without compression: it has the sharpness of the
    input. In training, every patch draws its source's size, its kind and everything else. In
    evaluation, images of one name always get the same; they keep at most their size. Colour only.
    """

    OPTIONS: ClassVar[dict[str, Option]] = {
        **CleanImageDataset.OPTIONS,
        "mixture": Option(
            dict,
            default={
                "camera": 0.44,
                "correlated": 0.26,
                "gaussian": 0.12,
                "compressed": 0.05,
                "clean": 0.13,
            },
            help=f"relative shares of {', '.join(KINDS)}; what is not named does not occur",
        ),
        "sources": Option(dict, default={}, help="changes of photograph_dataset.SOURCE_KNOBS"),
        "camera": Option(dict, default={}, help="changes of degradations.camera.KNOBS"),
        "correlated": Option(
            dict, default={}, help="changes of degradations.correlated_noise.KNOBS"
        ),
        "compressed": Option(
            dict,
            default={"codec_chance": 1},
            help="changes of degradations.sharing.KNOBS, without any noise",
        ),
        "sigma": Option(
            LEVEL,
            default=[0, 50],
            help="of kind gaussian: white noise, 0-255 scale, neither clipped nor rounded",
        ),
        "seed": Option(int, default=0, help="of the randomness outside training"),
    }

    def configure(self) -> None:
        """Check and keep the options of this class."""
        if self.channels != 3:
            raise ValueError("channels must be 3: cameras are imitated in colour only")
        self.kinds = _read_mixture(self.options["mixture"])
        self.sources = read_knobs(SOURCE_KNOBS, self.options["sources"], "sources")
        self.camera = read_knobs(camera.KNOBS, self.options["camera"], "camera")
        self.correlated = read_knobs(
            correlated_noise.KNOBS, self.options["correlated"], "correlated"
        )
        self.compressed = read_knobs(SHARING_KNOBS, self.options["compressed"], "compressed")
        self.sigma = self.level("sigma", 0, MAX_SIGMA)

    def training_pair(self, patch: TrainingPatch, generator: torch.Generator) -> Pair:
        """Damaged patch and its target."""
        rng = numpy_generator(generator)
        kind = self._draw_kind(rng)
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
        kind = self._draw_kind(rng)
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

    def _draw_kind(self, rng: np.random.Generator) -> str:
        return str(rng.choice(list(self.kinds), p=list(self.kinds.values())))

    def _draw_source(self, kind: str, rng: np.random.Generator) -> tuple[float, str]:
        """Factor by which the source is resized, and how."""
        name = "soft_chance" if kind in ("camera", "correlated") else "soft_chance_others"
        enlarged, other = (
            draw(SOURCE_KNOBS, self.sources, key, rng) for key in ("enlarge", "other")
        )
        factor = enlarged if rng.random() < self.sources[name][0] else other
        methods = [key for key in FILTERS if key != "area"]
        method = methods[rng.integers(len(methods))]
        return factor, "area" if factor < 1 else method

    def _draw_damage(
        self, kind: str, rng: np.random.Generator, generator: torch.Generator
    ) -> tuple[Damage, float]:
        """What happens to a source, and by which factor it changes the size."""
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


def _read_mixture(given: Any) -> dict[str, float]:
    """Probability of each kind."""
    if not isinstance(given, Mapping) or not given:
        raise ValueError(f"mixture must be a block of kinds and shares, received {given!r}")
    for kind, part in given.items():
        if kind not in KINDS:
            raise ValueError(f"mixture:{kind} is unknown; allowed: {', '.join(KINDS)}")
        is_number = isinstance(part, (int, float)) and not isinstance(part, bool)
        if not is_number or not 0 <= part < math.inf:
            raise ValueError(f"mixture:{kind} must be a number of at least 0, received {part!r}")
    total = sum(given.values())
    if total <= 0:
        raise ValueError(f"mixture: one share must be above 0, received {dict(given)!r}")
    return {kind: part / total for kind, part in given.items()}


def _scale(drawn: camera.Camera | correlated_noise.CorrelatedNoise) -> float:
    return drawn.sharing.total_scale


def _add_white(image: Pixels, sigma: float, rng: np.random.Generator | None) -> Pixels:
    if rng is None:
        return image
    return image + np.float32(sigma) * rng.standard_normal(image.shape, np.float32)


def _to_tensor(image: Pixels) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
