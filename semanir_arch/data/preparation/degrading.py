"""Degraded versions of image files, for fixed test sets and demonstrations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
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
from semanir_arch.data.degradations.defocus import LIMITS as DEFOCUS_LIMITS
from semanir_arch.data.degradations.jpeg import CHROMA
from semanir_arch.data.degradations.levels import Level, parse_level
from semanir_arch.data.degradations.low_light import LIMITS as LOW_LIGHT_LIMITS
from semanir_arch.data.degradations.matlab_resize import crop_to_multiple, matlab_resize
from semanir_arch.data.degradations.motion import LIMITS as MOTION_LIMITS
from semanir_arch.data.degradations.rain import LIMITS as RAIN_LIMITS
from semanir_arch.data.degradations.raindrops import LIMITS as RAINDROPS_LIMITS
from semanir_arch.data.degradations.snow import LIMITS as SNOW_LIMITS
from semanir_arch.data.files.image_io import load_image, to_float, to_integer, write_image
from semanir_arch.data.files.image_metadata import Metadata
from semanir_arch.data.preparation.patches import Record
from semanir_arch.data.randomness import named_generator

Pixels = NDArray[Any]
Values = Mapping[str, Any]
Limits = Mapping[str, tuple[float, float]]

_WHOLE = frozenset({"quality", "scale"})


@dataclass(frozen=True)
class Task:
    """One way to degrade images.

    Args:
        help: What it makes.
        apply: From pixels (H, W, 1 or 3, uint8 or uint16, RGB order), the value of every parameter
            and a generator to pixels.
        limits: Lowest and highest value of every number.
        defaults: What a number is where it is not given, in the forms of `levels`.
        choices: Texts a parameter may be; the first is the default.
    """

    help: str
    apply: Callable[[Pixels, Values, torch.Generator], Pixels]
    limits: Limits = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Degradation:
    """A task and its parameters; can be handed to other processes.

    Args:
        task: A key of `TASKS`.
        levels: Every number.
        texts: Every choice.
    """

    task: str
    levels: Mapping[str, Level]
    texts: Mapping[str, str]

    def __call__(self, pixels: Pixels, generator: torch.Generator) -> Pixels:
        """Degrade pixels (H, W, 1 or 3), uint8 or uint16, RGB order."""
        # a constant uses up no randomness
        values = {
            name: level.values[0] if level.is_constant else level.draw(generator)
            for name, level in self.levels.items()
        }
        return TASKS[self.task].apply(pixels, {**values, **self.texts}, generator)


@dataclass(frozen=True)
class Job:
    """One file to make.

    Args:
        name: Of the image within the run, which decides about its randomness.
        source: The clean image; alpha is dropped.
        target: The PNG file.
        degradation: What happens to it.
        seed: Of the run.
    """

    name: str
    source: Path
    target: Path
    degradation: Degradation
    seed: int

    def size_on_disk(self) -> int:
        """Bytes of the image file."""
        return self.source.stat().st_size

    def names(self, record: Record) -> list[tuple[Path, str]]:
        """Folder and name without suffix of the result."""
        del record
        return [(self.target.parent, self.target.stem)]


def parse_degradation(task: str, given: Mapping[str, Any]) -> Degradation:
    """Check the parameters of a task.

    Args:
        task: A key of `TASKS`.
        given: Numbers in the forms of `levels`, and texts.

    Raises:
        ValueError: A parameter is unknown, missing, or has a value that is not allowed.
    """
    rules = TASKS[task]
    known = [*rules.limits, *rules.choices]
    for name in given:
        if name not in known:
            allowed = ", ".join(known) or "none"
            raise ValueError(f"--task {task} has no parameter {name}; allowed: {allowed}")
    levels = {}
    for name, (lowest, highest) in rules.limits.items():
        value = given.get(name, rules.defaults.get(name))
        if value is None:
            raise ValueError(f"--task {task} needs {name} from {lowest:g} to {highest:g}")
        try:
            levels[name] = parse_level(value, name, lowest, highest, whole=name in _WHOLE)
        except ValueError as error:
            raise ValueError(f"--task {task}: {error}") from error
    texts = {name: given.get(name, allowed[0]) for name, allowed in rules.choices.items()}
    for name, text in texts.items():
        if text not in rules.choices[name]:
            allowed = ", ".join(rules.choices[name])
            raise ValueError(f"--task {task}: {name} must be one of {allowed}, received {text!r}")
    return Degradation(task, levels, texts)


def degrade_file(job: Job) -> Record:
    """Make one file; it is complete or absent.

    Returns:
        `bytes` of the clean image, for the record.

    Raises:
        OSError: A file cannot be opened or written.
        ValueError: The image is unreadable, or the degradation is not made for such images.
    """
    image = load_image(job.source)
    try:
        result = job.degradation(image.color, named_generator(job.name, job.seed))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{job.source}: {error}") from error
    write_image(job.target, result, metadata=Metadata(icc_profile=image.icc_profile))
    return {"bytes": job.size_on_disk()}


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
    """For degradations whose parameters have the names of the options."""
    return partial(
        _floats, lambda image, values, generator: function(image, generator=generator, **values)
    )


TASKS: dict[str, Task] = {
    "gaussian": Task(
        "white Gaussian noise; sigma on the 0-255 scale",
        partial(_floats, _gaussian),
        {"sigma": (0, MAX_SIGMA)},
    ),
    "bicubic": Task(
        "low resolution as MATLAB makes it, of the image cut to a multiple of the scale",
        _bicubic,
        {"scale": (1, 16)},
    ),
    "jpeg": Task(
        "JPEG compression, 8 bit", _jpeg, {"quality": (1, 100)}, choices={"chroma": CHROMA}
    ),
    "mosaic": Task(
        "what a Bayer sensor records, one plane",
        partial(_floats, _mosaic),
        choices={"phase": PHASES},
    ),
    "demosaic": Task(
        "the mosaic, interpolated as MATLAB does",
        partial(_floats, _demosaic),
        choices={"phase": PHASES},
    ),
    "motion": Task(
        "blur of a shaken camera",
        partial(_floats, _motion),
        MOTION_LIMITS,
        {"length": [5, 30], "shake": [0, 0.6]},
    ),
    "defocus": Task(
        "blur of a lens out of focus",
        partial(_floats, _defocus),
        DEFOCUS_LIMITS,
        {"radius": [1, 8]},
    ),
    "rain": Task(
        "rain streaks",
        _named(rain_streaks),
        RAIN_LIMITS,
        {"amount": [10, 80], "length": [10, 40], "angle": [-30, 30], "brightness": [0.4, 0.9]},
    ),
    "snow": Task(
        "snow",
        _named(snow),
        SNOW_LIMITS,
        {"amount": [10, 80], "size": [2, 7], "wind": [-40, 40], "veil": [0, 0.3]},
    ),
    "raindrops": Task(
        "drops on the lens",
        _named(raindrops),
        RAINDROPS_LIMITS,
        {"amount": [1, 5], "size": [8, 24]},
    ),
    "low_light": Task(
        "a dark, noisy photograph",
        _named(low_light),
        LOW_LIGHT_LIMITS,
        {"exposure": [0.05, 0.3], "electrons": [500, 5000], "read_noise": [1, 5]},
    ),
}
"""Degradations by name. Those after `demosaic` are demonstrations, with the defaults of the data
sets that make them on the fly."""
