"""What a damage is, declared once beside the function that makes it.

A module of this folder declares its damage: name, help, settings with limits and defaults, and what
is done to an image. `data.datasets.degraded` makes data sets of it, and `semanir-data degrade`
files; `damages` lists all of them, and `semanir_arch.tasks` says which task repairs each.

There are three kinds. `DrawnDamage` is a function of a tensor and of numbers that are drawn once
per image. `Recipe` has many steps and draws from its settings itself, by NumPy. `PixelDamage` is a
function of stored pixels without randomness.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semanir_arch.data.degradations.declaration import Declared, Number, parse_settings
from semanir_arch.data.degradations.filtering import Limits
from semanir_arch.data.degradations.levels import Level
from semanir_arch.data.degradations.matlab_resize import crop_to_multiple
from semanir_arch.data.files.image_io import to_float, to_integer
from semanir_arch.data.randomness import numpy_generator
from semanir_arch.utils.errors import InputError

__all__ = [
    "Damage",
    "DrawnDamage",
    "Floats",
    "PixelDamage",
    "Pixels",
    "PreviewRow",
    "Recipe",
    "Values",
    "examples",
    "limits_of",
]

Pixels = NDArray[Any]
"""(H, W, 1 or 3), uint8 or uint16, gray or RGB."""

Floats = NDArray[np.float32]
"""(H, W, 1 or 3), range [0, 1], gray or RGB."""

Values = Mapping[str, Any]
"""Values by the name of a setting: what was drawn, a word, or what `parse_settings` gives to a
recipe."""

SCALE = "scale"


@dataclass(frozen=True)
class PreviewRow:
    """A row of the contact sheet that `--preview` draws.

    Args:
        label: A few words in front of the row.
        given: Parameters, as a user gives them.
    """

    label: str
    given: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Damage:
    """One way to degrade images.

    Args:
        name: Word that `semanir-data degrade --damage` takes, and `Task.damages` names.
        help: Result in a few words.
        settings: Limits, default and help of every parameter.
        examples: Rows of a contact sheet, from weak to strong.
        aliases: Former names, which stay readable.
        unrecorded: Words that came after folders had been made: their defaults are left out of a
            folder's record, so that an older one is still continued.
    """

    name: str
    help: str
    settings: Declared = field(default_factory=dict)
    examples: tuple[PreviewRow, ...] = ()
    aliases: tuple[str, ...] = ()
    unrecorded: frozenset[str] = frozenset()

    @property
    def recorded_name(self) -> str:
        """Name in the records of folders: the one it had when the first record was made."""
        return self.aliases[0] if self.aliases else self.name

    @property
    def parameters(self) -> Declared:
        """Everything that may be given where files are made."""
        return self.settings

    def parse(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Check parameters, and fill in the defaults.

        Args:
            given: Values by name, in the forms of `levels` where they are numbers.

        Raises:
            ValueError: A parameter is unknown, missing, or has a value that is not allowed.
        """
        known = self.parameters
        for name in given:
            if name not in known:
                raise InputError(
                    f"there is no parameter {name}; allowed: {', '.join(known) or 'none'}"
                )
        for name, setting in known.items():
            if isinstance(setting, Number) and setting.required and given.get(name) is None:
                limits = f"{setting.lowest:g} to {setting.highest:g}"
                raise InputError(f"{name} is needed, a number from {limits}")
        return parse_settings(known, given)

    def draw(self, settings: Values, generator: torch.Generator) -> dict[str, Any]:
        """The values of one file, from settings that `parse` gave; a constant draws nothing."""
        return {
            name: _value(value, generator) if isinstance(value, Level) else value
            for name, value in settings.items()
        }

    def degrade(self, pixels: Pixels, values: Values, generator: torch.Generator) -> Pixels:
        """Degrade stored pixels.

        Args:
            pixels: Pixels as a file holds them.
            values: Result of `draw`.
            generator: Source of randomness.

        Raises:
            ValueError: The damage is not made for such images.
        """
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class DrawnDamage(Damage):
    """A function of a tensor and of values that are drawn once per image.

    Args:
        apply: Function from an image (C, H, W) float32 in [0, 1], the value of every setting and a
            generator to an image of that form, perhaps of other channels.
        reach: Number of pixels around a patch that decide about it, from the levels.
    """

    apply: Callable[[Tensor, Values, torch.Generator], Tensor]
    reach: Callable[[Values], int] = lambda settings: 0  # noqa: ARG005

    def degrade(self, pixels: Pixels, values: Values, generator: torch.Generator) -> Pixels:
        """Degrade stored pixels; the depth is kept."""
        clean = torch.from_numpy(to_float(pixels)).permute(2, 0, 1).contiguous()
        damaged = self.apply(clean, values, generator).permute(1, 2, 0)
        return to_integer(damaged.numpy(), pixels.dtype)


@dataclass(frozen=True, kw_only=True)
class Recipe(Damage):
    """Many steps that draw from their settings themselves, with NumPy's randomness; 8 bits.

    Args:
        apply: Function from an image, whose sides are multiples of the scale, the settings as
            `parse_settings` gives them with `scale` beside them, and a generator to the damaged
            image and the one that can be expected back.
        scales: Factors by which the damaged image may be smaller than the clean one.
        surroundings: Pixels of the result around a patch that decide about it, 8 or more.
    """

    apply: Callable[[Floats, Values, np.random.Generator], tuple[Floats, Floats]]
    scales: tuple[int, ...] = (1,)
    surroundings: int = 16

    @property
    def parameters(self) -> Declared:
        """The settings and, where there are several, the scale."""
        if len(self.scales) == 1:
            return self.settings
        help_text = "how many times smaller the result is"
        scale = Number(1, min(self.scales), max(self.scales), help_text, whole=True)
        return {SCALE: scale, **self.settings}

    def draw(self, settings: Values, generator: torch.Generator) -> dict[str, Any]:
        """The scale; everything else is drawn later."""
        scale = settings.get(SCALE)
        drawn = 1 if scale is None else int(_value(scale, generator))
        return {**settings, SCALE: drawn}

    def degrade(self, pixels: Pixels, values: Values, generator: torch.Generator) -> Pixels:
        """Degrade stored pixels, cut to a multiple of the scale; 8 bits come out."""
        image = to_float(crop_to_multiple(pixels, values[SCALE]))
        return to_integer(self.apply(image, values, numpy_generator(generator))[0])


@dataclass(frozen=True, kw_only=True)
class PixelDamage(Damage):
    """A function of stored pixels, without randomness of its own.

    Args:
        apply: Function from pixels and the value of every setting to pixels.
    """

    apply: Callable[[Pixels, Values], Pixels]

    def degrade(self, pixels: Pixels, values: Values, generator: torch.Generator) -> Pixels:
        """Degrade stored pixels."""
        del generator
        return self.apply(pixels, values)


def examples(name: str, *values: Any, **fixed: Any) -> tuple[PreviewRow, ...]:
    """Examples in which one setting grows.

    Args:
        name: Name of the setting.
        *values: Values of the setting, from weak to strong.
        **fixed: Other parameters, the same in all of them.
    """
    return tuple(PreviewRow(f"{name} {value}", {name: value, **fixed}) for value in values)


def limits_of(settings: Declared) -> Limits:
    """Lowest and highest value of every number among the settings."""
    return {
        name: (setting.lowest, setting.highest)
        for name, setting in settings.items()
        if isinstance(setting, Number)
    }


def _value(level: Level, generator: torch.Generator) -> float:
    """One value; a constant uses up no randomness."""
    return level.values[0] if level.is_constant else level.draw(generator)
