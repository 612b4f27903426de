"""One image file restored: read, checked, restored, written."""

from __future__ import annotations

import errno
import math
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from semanir_arch.data.files.bounds import read_size
from semanir_arch.data.files.image_encoding import check_format, lost_metadata
from semanir_arch.data.files.image_io import Image, load_image, load_mosaic, write_image
from semanir_arch.restoring.chain import Attempt, Chain, Chooser, change_in_words
from semanir_arch.restoring.jobs import Job
from semanir_arch.restoring.restorer import Progress
from semanir_arch.utils.atomic import replacing
from semanir_arch.utils.errors import ExistingFileError, InputError, UserError

__all__ = ["Outcome", "Settings", "count_pixels", "restore_file"]

_DEEPER = 257
"""Factor that turns 8 bits into the same share of 16."""


@dataclass(frozen=True)
class Settings:
    """Settings that apply to every file.

    Args:
        compare: Request for the before/after picture.
        overwrite: Whether to replace existing files.
        depth: Bits per sample of the result; None for that of the input.
        save_quality: Quality of JPEG results.
        sigma: Bound on the noise; see `Restorer.restore`.
        quality: Bound on the JPEG quality; see `Restorer.restore`.
        bayer: Bayer phase; see `Restorer.restore`.
        strength: Share of the change to keep; see `Restorer.restore`.
    """

    compare: bool = False
    overwrite: bool = False
    depth: int | None = None
    save_quality: int = 95
    sigma: float | None = None
    quality: float | None = None
    bayer: str | None = None
    strength: float | None = None


@dataclass(frozen=True)
class Outcome:
    """Outcome of one file.

    Args:
        height: Height of the result in pixels.
        width: Width of the result in pixels.
        notes: Contents of the input that are not in the result, in words.
        said: Findings and actions, in words.
        demonstrations: Networks that took part and only show a task.
        label: Task, weights and settings in words.
        precisions: Precisions in which the networks computed, each once.
    """

    height: int
    width: int
    notes: tuple[str, ...]
    said: tuple[str, ...] = ()
    demonstrations: tuple[str, ...] = ()
    label: str = ""
    precisions: tuple[str, ...] = ()


def restore_file(
    job: Job, network: Chain | Chooser, settings: Settings, progress: Progress | None = None
) -> Outcome:
    """Restore one file; everything that can fail early does so before the network works.

    A file in which nothing is to be repaired is copied, as is one whose "noise" proves to be
    texture.

    Raises:
        ValueError: The file cannot be read, the result cannot be written in its format, or would
            replace something.
        OSError: Reading or writing fails.
        TypeError, MemoryError, FloatingPointError: See `Restorer.restore`.
    """
    written = [job.target, job.picture] if settings.compare else [job.target]
    _refuse_long(written)
    _refuse_existing(written, settings.overwrite)
    _refuse_closed(job.target.parent)
    with _silent_libraries():
        image = load_image(job.source)
    said, attempts = _plan(network, image, job.source, settings.strength)
    chains: list[Chain | None] = [attempt.chain for attempt in attempts]
    for chain in chains or [None]:
        _check_result(job.target, image, chain, settings)
    pixels = image.pixels
    if settings.depth == 16 and image.bit_depth == 8:
        pixels = pixels.astype(np.uint16) * np.uint16(_DEEPER)
    restored, restorer = pixels, None
    for attempt in attempts:
        result = _restore(pixels, job, attempt.chain, settings, progress)
        if attempt.keeps(pixels, result):
            restored, restorer = result, attempt.chain
            said.append(change_in_words(pixels, restored))
            break
        said.append(f"{'+'.join(attempt.tasks)} {attempt.refusal}")
    if attempts and restorer is None:
        said.append("left as it is")
    if restorer is None and _is_as_wanted(job, image, settings):
        _copy(job, settings)
        return Outcome(pixels.shape[0], pixels.shape[1], (), tuple(said))
    label = _label(restorer, settings)
    if settings.depth == 8:
        restored = _to_8_bit(restored)
    _write(job, image, restored, label, settings)
    return Outcome(
        height=restored.shape[0],
        width=restored.shape[1],
        notes=(*image.notes, *lost_metadata(job.target, image.metadata, restored)),
        said=tuple(said),
        demonstrations=tuple(restorer.demonstrations) if restorer else (),
        label=label,
        precisions=restorer.precisions if restorer else (),
    )


def _plan(
    network: Chain | Chooser, image: Image, path: Path, strength: float | None
) -> tuple[list[str], Sequence[Attempt]]:
    """What was found in a picture, in words, and what to do until a result is kept."""
    if isinstance(network, Chain):
        return [], [Attempt((), network)]
    choice = network.choose(image, path)
    return [choice.line, *choice.hints], network.attempts(choice, strength)


def _write(
    job: Job, image: Image, restored: npt.NDArray[Any], label: str, settings: Settings
) -> None:
    """Write the result and, if it is wanted, the picture of before and after."""
    write_image(
        job.target,
        restored,
        metadata=image.metadata,
        quality=settings.save_quality,
        overwrite=settings.overwrite,
    )
    if settings.compare:
        # fonts take a quarter of a second to load
        from semanir_arch.restoring.comparison_picture import fitting_picture

        picture = fitting_picture({"before": image.pixels, "after": restored}, label)
        write_image(job.picture, picture, metadata=image.metadata, overwrite=settings.overwrite)


def _label(network: Chain | None, settings: Settings) -> str:
    """Task, weights and settings in words."""
    if network is None:
        return "left as it is"
    given = ("sigma", "quality", "bayer", "strength")
    values = {name: getattr(settings, name) for name in given}
    said = [f"{name} {value}" for name, value in values.items() if value is not None]
    return ", ".join([network.settings, *said])


def _restore(
    pixels: npt.NDArray[Any],
    job: Job,
    restorer: Chain,
    settings: Settings,
    progress: Progress | None,
) -> npt.NDArray[Any]:
    """Restore pixels, or, where a network demosaics, what the sensor of a raw file saw.

    Raises:
        ValueError: The sensor has another mosaic than the settings say, or none.
    """
    bayer, finish = settings.bayer, None
    if restorer.demosaics and (mosaic := load_mosaic(job.source)) is not None:
        if bayer not in (None, mosaic.bayer):
            raise InputError(
                f"{job.source}: the camera's mosaic is {mosaic.bayer}; leave out --bayer {bayer}"
            )
        pixels, bayer, finish = mosaic.pixels, mosaic.bayer, mosaic.finish
    return restorer.restore(
        pixels,
        sigma=settings.sigma,
        quality=settings.quality,
        bayer=bayer,
        strength=settings.strength,
        progress=progress,
        finish=finish,
    )


def _is_as_wanted(job: Job, image: Image, settings: Settings) -> bool:
    """Whether a copy of the file is the result that was asked for."""
    same = job.source.suffix.lower() == job.target.suffix.lower()
    return same and settings.depth in (None, image.bit_depth) and not settings.compare


def _copy(job: Job, settings: Settings) -> None:
    data = job.source.read_bytes()
    if job.target.exists() and not settings.overwrite:
        # it may have appeared meanwhile
        raise ExistingFileError(errno.EEXIST, os.strerror(errno.EEXIST), str(job.target))
    job.target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(job.target) as file:
        file.write(data)


def count_pixels(path: Path) -> int:
    """Pixels of an image according to its header, a measure of the work; 0 if unreadable."""
    try:
        return math.prod(read_size(path.read_bytes(), str(path)))
    except (OSError, ValueError):
        return 0


@contextmanager
def _silent_libraries() -> Iterator[None]:
    """Keep off the screen what C libraries write about damaged files: our message says it.

    Libtiff writes to the file descriptor, past `sys.stderr`.
    """
    sys.stderr.flush()
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def _refuse_existing(paths: list[Path], overwrite: bool) -> None:
    for path in paths:
        if path.is_dir():
            raise InputError(f"the result would replace a folder, {path}")
        if path.exists() and not overwrite:
            raise InputError(f"{path} exists; --overwrite replaces it")


def _refuse_long(paths: list[Path]) -> None:
    for path in paths:
        try:
            # the system finds a name too long only in a folder that exists
            (_nearest_existing(path.parent) / path.name).lstat()
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise InputError(f"{path} cannot be written: its name is too long") from error


def _nearest_existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def _refuse_closed(folder: Path) -> None:
    nearest = _nearest_existing(folder)
    if not nearest.is_dir():
        raise InputError(f"the result needs a folder {folder}, but {nearest} is a file")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"the result cannot be written: the folder {nearest} is read-only")


def _check_result(target: Path, image: Image, restorer: Chain | None, settings: Settings) -> None:
    height, width, channels = image.pixels.shape
    if restorer is not None and restorer.demosaics and channels <= 2:
        channels += 2
    scale = restorer.upscale if restorer else 1
    shape = (height * scale, width * scale, channels)
    depth = settings.depth or image.bit_depth
    try:
        check_format(target, shape, np.uint16 if depth == 16 else np.uint8)
    except UserError as error:
        raise InputError(f"{error} (see --format and --depth)") from error


def _to_8_bit(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if pixels.dtype != np.uint16:
        return pixels
    # rounds to the nearest, without a copy in floating point
    scaled = cv2.convertScaleAbs(pixels, alpha=1 / _DEEPER)
    return np.asarray(scaled).reshape(pixels.shape)
