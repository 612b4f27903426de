"""The damages that `generate_lq.py` makes: what each does, its parameters, and examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semanir_arch.data.degradations import (
    MAX_SIGMA,
    blur,
    compress_jpeg,
    disc_kernel,
    gaussian_noise,
    low_light,
    motion_kernel,
    rain_streaks,
    raindrops,
    snow,
)
from semanir_arch.data.degradations.bayer import PHASES, demosaic_linear, mosaic
from semanir_arch.data.degradations.camera import SETTINGS as CAMERA_SETTINGS
from semanir_arch.data.degradations.camera import taken_by_camera
from semanir_arch.data.degradations.declaration import Chance, Declared
from semanir_arch.data.degradations.defocus import LIMITS as DEFOCUS_LIMITS
from semanir_arch.data.degradations.exposure import SETTINGS as EXPOSURE_SETTINGS
from semanir_arch.data.degradations.exposure import photographic_blur
from semanir_arch.data.degradations.jpeg import CHROMA
from semanir_arch.data.degradations.low_light import LIMITS as LOW_LIGHT_LIMITS
from semanir_arch.data.degradations.matlab_resize import crop_to_multiple, matlab_resize
from semanir_arch.data.degradations.motion import LIMITS as MOTION_LIMITS
from semanir_arch.data.degradations.old_photograph import SETTINGS as AGE_SETTINGS
from semanir_arch.data.degradations.old_photograph import age
from semanir_arch.data.degradations.rain import LIMITS as RAIN_LIMITS
from semanir_arch.data.degradations.raindrops import LIMITS as RAINDROPS_LIMITS
from semanir_arch.data.degradations.second_order import SETTINGS as SECOND_ORDER_SETTINGS
from semanir_arch.data.degradations.second_order import second_order
from semanir_arch.data.degradations.shuffled import SETTINGS as SHUFFLED_SETTINGS
from semanir_arch.data.degradations.shuffled import shuffled
from semanir_arch.data.degradations.snow import LIMITS as SNOW_LIMITS
from semanir_arch.data.files.image_io import to_float, to_integer
from semanir_arch.data.randomness import numpy_generator

Pixels = NDArray[Any]
Values = Mapping[str, Any]
Limits = Mapping[str, tuple[float, float]]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class PreviewRow:
    """A row of the contact sheet that `--preview` draws.

    Args:
        label: A few words in front of the row.
        given: Parameters, as a user gives them.
    """

    label: str
    given: Mapping[str, Any]


@dataclass(frozen=True)
class Damage:
    """One way to degrade images.

    Args:
        help: Effect of the damage, in a few words.
        apply: Function from pixels (H, W, 1 or 3, uint8 or uint16, RGB order), the value of every
            parameter and a generator to pixels.
        limits: Lowest and highest value of every number that is drawn once per image.
        defaults: Default of each number that may be left out, in the forms of `levels`.
        choices: Texts a parameter may be; the first is the default.
        settings: Further parameters as the degradation declares them; it draws from them itself.
        examples: Rows of a contact sheet, from weak to strong.
    """

    help: str
    apply: Callable[[Pixels, Values, torch.Generator], Pixels]
    limits: Limits = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    settings: Declared = field(default_factory=dict)
    examples: tuple[PreviewRow, ...] = ()

    @property
    def parameters(self) -> list[str]:
        """Names of everything that may be given."""
        return [*self.limits, *self.choices, *self.settings]


def _arrays(function: Callable[[Floats, Values, np.random.Generator], Floats]) -> Any:
    """Make 8-bit results of a damage that works on float arrays (H, W, C) in [0, 1]."""

    def apply(pixels: Pixels, values: Values, generator: torch.Generator) -> Pixels:
        return to_integer(function(to_float(pixels), values, numpy_generator(generator)))

    return apply


def _reduced(
    function: Callable[[Floats, int, Values, np.random.Generator], Floats],
) -> Callable[..., Pixels]:
    """Adapt a damage that also reduces: the image is cut to a multiple of the scale."""

    def apply(pixels: Pixels, values: Values, generator: torch.Generator) -> Pixels:
        scale = int(values["scale"])
        image = to_float(crop_to_multiple(pixels, scale))
        return to_integer(function(image, scale, values, numpy_generator(generator)))

    return apply


def _steps(name: str, *values: Any, **fixed: Any) -> tuple[PreviewRow, ...]:
    """Examples in which one parameter grows."""
    return tuple(PreviewRow(f"{name} {value}", {name: value, **fixed}) for value in values)


def _floats(
    function: Callable[[Tensor, Values, torch.Generator], Tensor],
    pixels: Pixels,
    values: Values,
    generator: torch.Generator,
) -> Pixels:
    """Degrade (C, H, W) floats in [0, 1], and store the result in the depth of the pixels."""
    clean = torch.from_numpy(to_float(pixels)).permute(2, 0, 1).contiguous()
    return to_integer(function(clean, values, generator).permute(1, 2, 0).numpy(), pixels.dtype)


def _bicubic(pixels: Pixels, values: Values, generator: torch.Generator) -> Pixels:
    del generator
    scale = int(values["scale"])
    return matlab_resize(crop_to_multiple(pixels, scale), 1 / scale)


def _jpeg(pixels: Pixels, values: Values, generator: torch.Generator) -> Pixels:
    del generator
    if pixels.dtype == np.uint16:
        pixels = to_integer(to_float(pixels))
    return compress_jpeg(pixels, int(values["quality"]), chroma=values["chroma"])


def _gaussian(image: Tensor, values: Values, generator: torch.Generator) -> Tensor:
    return gaussian_noise(image, values["sigma"], generator)


def _mosaic(image: Tensor, values: Values, generator: torch.Generator) -> Tensor:
    del generator
    return mosaic(image, values["phase"])


def _demosaic(image: Tensor, values: Values, generator: torch.Generator) -> Tensor:
    del generator
    return demosaic_linear(mosaic(image, values["phase"]), values["phase"])


def _motion(image: Tensor, values: Values, generator: torch.Generator) -> Tensor:
    return blur(image, motion_kernel(generator=generator, **values))


def _defocus(image: Tensor, values: Values, generator: torch.Generator) -> Tensor:
    del generator
    return blur(image, disc_kernel(**values))


def _named(function: Callable[..., Tensor]) -> Callable[..., Pixels]:
    """Adapt a degradation whose parameters have the names of the options."""
    return partial(
        _floats, lambda image, values, generator: function(image, generator=generator, **values)
    )


# a damaged file should fit its clean one, unless the user asks for more
_CAMERA: Declared = {
    **CAMERA_SETTINGS,
    "resize_prob": Chance(0, CAMERA_SETTINGS["resize_prob"].help),
    "again_prob": Chance(0, CAMERA_SETTINGS["again_prob"].help),
}
_SHARED = {"chroma_prob": 1, "luma_prob": 1, "sharpen_prob": 1, "low_prob": 1, "codec_prob": 1}

_PHOTOGRAPH = {"halftone_prob": 0, "fading": 0.1}

DAMAGES: dict[str, Damage] = {
    "gaussian": Damage(
        "white Gaussian noise; sigma on the 0-255 scale",
        partial(_floats, _gaussian),
        {"sigma": (0, MAX_SIGMA)},
        examples=_steps("sigma", 10, 25, 50),
    ),
    "bicubic": Damage(
        "low resolution as MATLAB makes it, of the image cut to a multiple of the scale",
        _bicubic,
        {"scale": (1, 16)},
        examples=_steps("scale", 2, 3, 4),
    ),
    "jpeg": Damage(
        "JPEG compression, 8 bit",
        _jpeg,
        {"quality": (1, 100)},
        choices={"chroma": CHROMA},
        examples=_steps("quality", 40, 20, 10),
    ),
    "mosaic": Damage(
        "what a Bayer sensor records, one plane",
        partial(_floats, _mosaic),
        choices={"phase": PHASES},
    ),
    "demosaic": Damage(
        "the mosaic, interpolated as MATLAB does",
        partial(_floats, _demosaic),
        choices={"phase": PHASES},
    ),
    "motion": Damage(
        "blur of a shaken camera",
        partial(_floats, _motion),
        MOTION_LIMITS,
        {"length": [5, 30], "shake": [0, 0.6]},
        examples=_steps("length", 5, 15, 30),
    ),
    "defocus": Damage(
        "blur of a lens out of focus",
        partial(_floats, _defocus),
        DEFOCUS_LIMITS,
        {"radius": [1, 8]},
        examples=_steps("radius", 2, 4, 8),
    ),
    "rain": Damage(
        "rain streaks",
        _named(rain_streaks),
        RAIN_LIMITS,
        {"amount": [10, 80], "length": [10, 40], "angle": [-30, 30], "brightness": [0.4, 0.9]},
        examples=_steps("amount", 10, 40, 80),
    ),
    "snow": Damage(
        "snow",
        _named(snow),
        SNOW_LIMITS,
        {"amount": [10, 80], "size": [2, 7], "wind": [-40, 40], "veil": [0, 0.3]},
        examples=_steps("amount", 10, 40, 80),
    ),
    "raindrops": Damage(
        "drops on the lens",
        _named(raindrops),
        RAINDROPS_LIMITS,
        {"amount": [1, 5], "size": [8, 24]},
        examples=_steps("amount", 2, 5, 10),
    ),
    "low_light": Damage(
        "a dark, noisy photograph",
        _named(low_light),
        LOW_LIGHT_LIMITS,
        {"exposure": [0.05, 0.3], "electrons": [500, 5000], "read_noise": [1, 5]},
        examples=_steps("exposure", 0.3, 0.15, 0.05),
    ),
    "camera": Damage(
        "noise, processing and file of a camera; 8 bit",
        _arrays(taken_by_camera),
        settings=_CAMERA,
        examples=(
            *_steps("gain", 2e-4, 1e-3, 5e-3),
            PreviewRow("gain 0.002, shared by a phone", {"gain": 2e-3, **_SHARED}),
        ),
    ),
    "second_order": Damage(
        "blur, resizing, noise and compression, twice, as Real-ESRGAN; 8 bit",
        _reduced(second_order),
        {"scale": (1, 4)},
        {"scale": 1},
        settings=SECOND_ORDER_SETTINGS,
        examples=_steps("strength", 0.25, 0.5, 1),
    ),
    "shuffled": Damage(
        "blurs, reduction, noise and compression in random order, as BSRGAN; 8 bit",
        _reduced(shuffled),
        {"scale": (1, 4)},
        {"scale": 1},
        settings=SHUFFLED_SETTINGS,
        examples=_steps("strength", 0.25, 0.5, 1),
    ),
    "photographic_blur": Damage(
        "a camera that moves, turns or is not focused, noise and compression; 8 bit",
        _arrays(photographic_blur),
        settings=EXPOSURE_SETTINGS,
        examples=(
            *_steps("length", 4, 12, 24, blur={"motion": 1}),
            *_steps("radius", 1, 4, blur={"defocus": 1}),
        ),
    ),
    "old_photograph": Damage(
        "fading, tone, grain, paper, scratches, dust or halftone of old pictures; 8 bit",
        _arrays(lambda image, settings, rng: age(image, settings, rng)[0]),
        settings=AGE_SETTINGS,
        examples=(
            PreviewRow("lightly", {**_PHOTOGRAPH, "grain": 4, "scratches": 0, "dust": 3}),
            PreviewRow("badly", {**_PHOTOGRAPH, "fading": 0.6, "scratches": 5, "dust": 15}),
            PreviewRow("sepia", {**_PHOTOGRAPH, "tones": {"sepia": 1}, "fading": 0.4}),
            PreviewRow("halftone", {"tones": {"color": 1}, "halftone_prob": 1}),
        ),
    ),
}
"""Damages by name. Those from `motion` to `low_light` are demonstrations, with the defaults of the
data sets that make them on the fly."""
