"""Networks one after another, used like one: `jpeg+sr_x2`; and a choice made for each picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy.typing as npt

from semanir_arch.data.files.image_io import Image
from semanir_arch.restoring.diagnosis import (
    TaskChoice,
    choose,
    diagnose_file,
    found_grain,
    measure_change,
    took_noise,
)
from semanir_arch.restoring.restorer import Progress, Restorer
from semanir_arch.tasks import get_task
from semanir_arch.utils.errors import InputError
from semanir_arch.weights import available

__all__ = ["AUTO", "Attempt", "Chain", "Chooser", "change_in_words", "split_tasks"]

AUTO = "auto"
"""The task that is chosen for every picture."""

_HARDLY = 50.0
"""PSNR in decibels between input and result from which a change can hardly be seen."""

_NOISE_TASKS = frozenset({"photo", "denoise", "denoise_gray"})
"""Tasks whose networks take noise away, and fine texture if they are given a clean picture."""

_NO_GRAIN = "found no grain"
_TEXTURE = "takes away fine texture, not noise (--force keeps its result)"


class Chain:
    """Several networks, each restoring what the one before it made.

    Args:
        restorers: Restorers, at least one. Demosaicking may only be the first.

    Raises:
        ValueError: Demosaicking stands behind another network.
    """

    def __init__(self, restorers: Sequence[Restorer]) -> None:
        self.restorers = tuple(restorers)
        if any(restorer.demosaics for restorer in self.restorers[1:]):
            raise InputError("task 'demosaic' must be the first of a chain")

    @property
    def upscale(self) -> int:
        """Factor by which a result is larger."""
        return math.prod(restorer.upscale for restorer in self.restorers)

    @property
    def demosaics(self) -> bool:
        """Whether images are taken as Bayer mosaics."""
        return self.restorers[0].demosaics

    @property
    def settings(self) -> str:
        """Tasks, weights and what is not as usual, such as `denoise (denoise.safetensors)`."""
        parts = []
        for restorer in self.restorers:
            task = f"{restorer.task.name} " if restorer.task is not None else ""
            parts.append(f"{task}({restorer.weights})")
        first = self.restorers[0]
        unusual = [
            "self-ensemble" if first.ensemble else "",
            "" if first.precision == "fp32" else first.precision,
            "" if first.k is None else f"k={first.k}",
        ]
        return ", ".join([" + ".join(parts), *filter(None, unusual)])

    @property
    def precisions(self) -> tuple[str, ...]:
        """Precisions in which the networks compute, each once."""
        return tuple(dict.fromkeys(restorer.precision for restorer in self.restorers))

    @property
    def demonstrations(self) -> list[str]:
        """Names of those that only show a task."""
        tasks = [restorer.task for restorer in self.restorers]
        return [task.name for task in tasks if task is not None and task.demonstration]

    def check_arguments(
        self, sigma: float | None = None, quality: float | None = None, bayer: str | None = None
    ) -> None:
        """Refuse arguments that mean nothing for any of the networks; see `Restorer`.

        Raises:
            ValueError: Naming the argument and what is allowed.
        """
        self._shares(sigma, quality, bayer)

    def restore(
        self,
        image: npt.NDArray[Any],
        *,
        sigma: float | None = None,
        quality: float | None = None,
        bayer: str | None = None,
        strength: float | None = None,
        progress: Progress | None = None,
        finish: Callable[[npt.NDArray[Any]], npt.NDArray[Any]] | None = None,
    ) -> npt.NDArray[Any]:
        """Restore one image; arguments and errors as `Restorer.restore`.

        `finish` is done to the result of the first network; see `Mosaic.finish`.
        """
        count = len(self.restorers)
        result = image
        for place, (restorer, given) in enumerate(
            zip(self.restorers, self._shares(sigma, quality, bayer), strict=True)
        ):
            told = _part(progress, place, count)
            result = restorer.restore(result, **given, strength=strength, progress=told)
            if finish is not None and place == 0:
                result = finish(result)
        return result

    def _shares(
        self, sigma: float | None, quality: float | None, bayer: str | None
    ) -> list[dict[str, Any]]:
        """Each argument for the networks that know it; for all of them where none does."""
        shares: list[dict[str, Any]] = [{} for _ in self.restorers]
        for name, value in {"sigma": sigma, "quality": quality, "bayer": bayer}.items():
            if value is None:
                continue
            knowing = [
                share
                for share, restorer in zip(shares, self.restorers, strict=True)
                if _knows(restorer, name)
            ]
            for share in knowing or shares:
                share[name] = value
        for share, restorer in zip(shares, self.restorers, strict=True):
            restorer.check_arguments(**share)
        return shares


@dataclass(frozen=True)
class Attempt:
    """Networks, and whether their result is kept.

    Args:
        tasks: Names of the networks.
        chain: The networks.
        judge: Function that says from a picture and its result, (H, W, C), uint8 or uint16, whether
            to keep it; None if it is kept in any case.
        refusal: Reason why a result is not kept, in words.
    """

    tasks: tuple[str, ...]
    chain: Chain
    judge: Callable[[npt.NDArray[Any], npt.NDArray[Any]], bool] | None = None
    refusal: str = ""

    def keeps(self, before: npt.NDArray[Any], after: npt.NDArray[Any]) -> bool:
        """Whether to keep a result."""
        return self.judge is None or self.judge(before, after)


class Chooser:
    """Looks at every picture and takes the networks that help it.

    Args:
        open_restorer: Function from the name of a task to its network.
        force: Whether to restore pictures with nothing to repair too.

    Raises:
        ValueError: No network is shipped.
    """

    def __init__(self, open_restorer: Callable[[str], Restorer], *, force: bool = False) -> None:
        self._open, self._force = open_restorer, force
        self._shipped = [one.task.name for one in available()]
        if not self._shipped:
            raise InputError("no weights are shipped with this version; name a file with --weights")
        self._opened: dict[str, Restorer] = {}

    def choose(self, image: Image, path: Path) -> TaskChoice:
        """Choose what to do with a file that was read."""
        found = diagnose_file(image, path)
        return choose(found, self._shipped, force=self._force, judged=True)

    def attempts(self, choice: TaskChoice, strength: float | None = None) -> list[Attempt]:
        """What to do, in this order, until a result is kept; nothing for a clean picture.

        Args:
            choice: Choice made for the picture.
            strength: Share of the change that will be kept; see `Restorer.restore`.
        """
        attempts = []
        if choice.trial:
            finds = partial(found_grain, strength=strength)
            attempts.append(Attempt(choice.trial, self.chain(choice.trial), finds, _NO_GRAIN))
        if choice.tasks:
            judged = not self._force and _NOISE_TASKS.issuperset(choice.tasks)
            judge = took_noise if judged else None
            attempts.append(Attempt(choice.tasks, self.chain(choice.tasks), judge, _TEXTURE))
        return attempts

    def chain(self, tasks: Sequence[str]) -> Chain:
        """The networks of some tasks; each is loaded once."""
        for task in tasks:
            if task not in self._opened:
                self._opened[task] = self._open(task)
        return Chain([self._opened[task] for task in tasks])


def split_tasks(text: str) -> list[str]:
    """Names of tasks from `jpeg+sr_x2`.

    Raises:
        ValueError: One is unknown, or `auto` stands in a chain.
    """
    names = [name.strip() for name in text.split("+")]
    if names == [AUTO]:
        return names
    if AUTO in names:
        raise InputError("task 'auto' chooses by itself and cannot be part of a chain")
    return [get_task(name).name for name in names]


def change_in_words(before: npt.NDArray[Any], after: npt.NDArray[Any]) -> str:
    """Describe by how much a result differs from its input, in one honest line.

    Args:
        before: (H, W, C), uint8 or uint16.
        after: Restored version of the image.
    """
    if before.shape != after.shape:
        return f"now {after.shape[1]} x {after.shape[0]} pixels"
    mean, error = measure_change(before, after)
    if not error:
        return "nothing changed"
    psnr = -10 * math.log10(error)
    said = f"changed by {255 * mean:.2f} of 255 levels on average ({psnr:.1f} dB from the input)"
    if psnr >= _HARDLY:
        said += "; little to repair was found; --try shows other tasks"
    return said


def _knows(restorer: Restorer, name: str) -> bool:
    if name == "bayer":
        return restorer.demosaics
    return restorer.task is not None and restorer.task.strength == name


def _part(progress: Progress | None, place: int, count: int) -> Progress | None:
    return None if progress is None else lambda share: progress((place + share) / count)
