"""From an uploaded file to the restored one."""

from __future__ import annotations

import mimetypes
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from semanir_arch.data.files.image_encoding import check_format, lost_metadata
from semanir_arch.restoring.restorer import Restorer
from semanir_arch.restoring.serve.choices import Choice
from semanir_arch.restoring.serve.codec import Codec
from semanir_arch.restoring.serve.watch import StoppedError, Watch
from semanir_arch.restoring.serve.work import Job, Outcome
from semanir_arch.restoring.visible import visible
from semanir_arch.utils.ensemble import ORIENTATIONS

__all__ = ["Workshop"]

_TILE_PIXELS = 512 * 512

_SHOWN_PIXELS = 4_000_000
"""Larger photos are reduced for the screen."""


class Workshop:
    """Restores jobs; networks are loaded when they are first needed, and kept.

    Args:
        choices: What can be asked for.
        open_restorer: Loads a network.
    """

    def __init__(
        self, choices: Sequence[Choice], open_restorer: Callable[[Choice], Restorer]
    ) -> None:
        self._choices = {choice.name: choice for choice in choices}
        self._open = open_restorer
        self._restorers: dict[str, Restorer] = {}
        self._codec = Codec()

    def close(self) -> None:
        """End what runs beside."""
        self._codec.close()

    def restorer(self, task: str) -> Restorer:
        """The network of a task.

        Raises:
            OSError, ValueError: As `Restorer`.
        """
        if task not in self._restorers:
            self._restorers[task] = self._open(self._choices[task])
        return self._restorers[task]

    def work(self, job: Job) -> Outcome | None:
        """Restore a job's file; None if it was cancelled.

        Raises:
            OSError, TypeError, ValueError, MemoryError, ArithmeticError: As `decode_image` and
                `Restorer.restore`.
        """
        try:
            return self._work(job)
        except StoppedError:
            return None

    def _work(self, job: Job) -> Outcome:
        image = self._codec.decode(job.data, job.name, job.cancelled)
        job.data = b""
        restorer = self.restorer(job.task)

        def report(part: float) -> None:
            job.progress = part

        watch = Watch(
            restorer.network,
            report,
            job.cancelled,
            passes=_passes(restorer, image.color.shape[2]),
            tile=min(1.0, _TILE_PIXELS / image.pixels[..., 0].size),
        )
        strength = self._choices[job.task].strength
        with watch:
            restored = restorer.restore(
                image.pixels,
                sigma=job.strength if strength == "sigma" else None,
                quality=job.strength if strength == "quality" else None,
                progress=watch.advance,
            )
        name = _result_name(job.name, restored)
        result = self._codec.encode(restored, name, image.metadata, job.cancelled)
        lost = lost_metadata(Path(name), image.metadata, restored)
        height, width = restored.shape[:2]
        before, after = (
            self._codec.encode(_for_screen(pixels), "screen.png", None, job.cancelled)
            for pixels in (image.pixels, restored)
        )
        return Outcome(
            name=name,
            media_type=mimetypes.guess_type(name)[0] or "application/octet-stream",
            result=result,
            before=before,
            after=after,
            facts={
                "width": width,
                "height": height,
                "bytes": len(result),
                "seconds": round(time.monotonic() - job.started, 1),
                "reduced": width * height > _SHOWN_PIXELS,
                "notes": "; ".join((*image.notes, *lost)),
            },
        )


def _passes(restorer: Restorer, channels: int) -> int:
    """How often the network runs on a tile."""
    by_channel = restorer.network.in_chans == 1 and not restorer.demosaics
    return (channels if by_channel else 1) * (ORIENTATIONS if restorer.ensemble else 1)


def _result_name(name: str, restored: npt.NDArray[Any]) -> str:
    """The file's own name; .png in place of a suffix whose format cannot hold the result."""
    try:
        check_format(Path(name), restored.shape, restored.dtype)
    except ValueError:
        return f"{Path(name).stem}.png"
    return name


def _for_screen(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """8-bit pixels that every browser shows."""
    pixels = visible(image)
    height, width = pixels.shape[:2]
    if height * width > _SHOWN_PIXELS:
        zoom = (_SHOWN_PIXELS / (height * width)) ** 0.5
        size = (max(1, round(width * zoom)), max(1, round(height * zoom)))
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    return pixels
