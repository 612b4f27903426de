"""Degraded versions of image files, for fixed test sets and demonstrations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from semanir_arch.data.degradations.declaration import parse_settings
from semanir_arch.data.degradations.levels import Level, parse_level
from semanir_arch.data.files.image_io import load_image, write_image
from semanir_arch.data.files.image_metadata import Metadata
from semanir_arch.data.preparation.damages import DAMAGES, Pixels
from semanir_arch.data.preparation.patches import Record
from semanir_arch.data.randomness import named_generator
from semanir_arch.utils.errors import InputError

_WHOLE = frozenset({"quality", "scale"})


@dataclass(frozen=True)
class Degradation:
    """A damage and its parameters; can be handed to other processes.

    Args:
        damage: A key of `DAMAGES`.
        levels: Numbers that are drawn once per image.
        texts: Choices by parameter.
        settings: Settings that the damage draws from itself.
    """

    damage: str
    levels: Mapping[str, Level]
    texts: Mapping[str, str]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, pixels: Pixels, generator: torch.Generator) -> Pixels:
        """Degrade pixels (H, W, 1 or 3), uint8 or uint16, RGB order."""
        # a constant uses up no randomness
        values = {
            name: level.values[0] if level.is_constant else level.draw(generator)
            for name, level in self.levels.items()
        }
        given = {**values, **self.texts, **self.settings}
        return DAMAGES[self.damage].apply(pixels, given, generator)

    def record(self) -> dict[str, Any]:
        """The parameters as JSON reads them back, for the record of a folder."""
        # "task" is what records have called it from the beginning
        record = {"task": self.damage, "levels": _plain(self.levels), "texts": dict(self.texts)}
        return {**record, "settings": _plain(self.settings)} if self.settings else record


@dataclass(frozen=True)
class DegradingJob:
    """One file to make.

    Args:
        name: Name of the image within the run, which decides about its randomness.
        source: The clean image; alpha is dropped.
        target: The PNG file.
        degradation: Degradation to apply.
        seed: Seed of the run.
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


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: [list(value.values), value.is_range] if isinstance(value, Level) else value
        for name, value in settings.items()
    }


def parse_degradation(damage: str, given: Mapping[str, Any]) -> Degradation:
    """Check the parameters of a damage.

    Args:
        damage: A key of `DAMAGES`.
        given: Numbers in the forms of `levels`, and texts.

    Raises:
        ValueError: A parameter is unknown, missing, or has a value that is not allowed.
    """
    rules = DAMAGES[damage]
    known = rules.parameters
    for name in given:
        if name not in known:
            allowed = ", ".join(known) or "none"
            raise InputError(f"--damage {damage} has no parameter {name}; allowed: {allowed}")
    levels = {}
    for name, (lowest, highest) in rules.limits.items():
        value = given.get(name, rules.defaults.get(name))
        if value is None:
            raise InputError(f"--damage {damage} needs {name} from {lowest:g} to {highest:g}")
        try:
            levels[name] = parse_level(value, name, lowest, highest, whole=name in _WHOLE)
        except ValueError as error:
            raise InputError(f"--damage {damage}: {error}") from error
    texts = {name: given.get(name, allowed[0]) for name, allowed in rules.choices.items()}
    try:
        for name, text in texts.items():
            if text not in rules.choices[name]:
                allowed = ", ".join(rules.choices[name])
                raise InputError(f"{name} must be one of {allowed}, received {text!r}")
        settings = parse_settings(rules.settings, given)
    except ValueError as error:
        raise InputError(f"--damage {damage}: {error}") from error
    return Degradation(damage, levels, texts, settings)


def degrade_file(job: DegradingJob) -> Record:
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
        raise InputError(f"{job.source}: {error}") from error
    write_image(job.target, result, metadata=Metadata(icc_profile=image.icc_profile))
    return {"bytes": job.size_on_disk()}
