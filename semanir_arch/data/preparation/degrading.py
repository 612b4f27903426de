"""Degraded versions of image files, for fixed test sets and demonstrations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from semanir_arch.data.degradations.damage import Pixels, Recipe
from semanir_arch.data.degradations.damages import DAMAGES
from semanir_arch.data.degradations.levels import Level
from semanir_arch.data.files.image_io import load_image, write_image
from semanir_arch.data.files.image_metadata import Metadata
from semanir_arch.data.preparation.patches import Record
from semanir_arch.data.randomness import named_generator
from semanir_arch.utils.errors import InputError, UserError


@dataclass(frozen=True)
class Degradation:
    """A damage and its parameters; can be handed to other processes.

    Args:
        damage: A key of `DAMAGES`.
        settings: Settings, as `Damage.parse` gives them.
    """

    damage: str
    settings: Mapping[str, Any]

    def __call__(self, pixels: Pixels, generator: torch.Generator) -> Pixels:
        """Degrade pixels (H, W, 1 or 3), uint8 or uint16, RGB order."""
        damage = DAMAGES[self.damage]
        return damage.degrade(pixels, damage.draw(self.settings, generator), generator)

    def record(self) -> dict[str, Any]:
        """The parameters as JSON reads them back, for the record of a folder."""
        damage = DAMAGES[self.damage]
        # what a recipe draws from itself has a place of its own
        own = damage.settings if isinstance(damage, Recipe) else {}
        left_out = {
            name
            for name in damage.unrecorded
            if self.settings[name] == damage.settings[name].default
        }
        drawn = {n: v for n, v in self.settings.items() if n not in own and n not in left_out}
        # "task" is what records have called it from the beginning
        record = {
            "task": damage.recorded_name,
            "levels": _plain({n: v for n, v in drawn.items() if isinstance(v, Level)}),
            "texts": {n: v for n, v in drawn.items() if not isinstance(v, Level)},
        }
        return {**record, "settings": _plain({n: self.settings[n] for n in own})} if own else record


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
    try:
        return Degradation(damage, DAMAGES[damage].parse(given))
    except UserError as error:
        raise InputError(f"--damage {damage}: {error}") from error


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
    except UserError as error:
        raise InputError(f"{job.source}: {error}") from error
    write_image(job.target, result, metadata=Metadata(icc_profile=image.icc_profile))
    return {"bytes": job.size_on_disk()}
