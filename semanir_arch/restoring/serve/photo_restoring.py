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
from semanir_arch.restoring.diagnosis import choose, diagnose_data
from semanir_arch.restoring.looking import candidates, interesting_part
from semanir_arch.restoring.restorer import Restorer
from semanir_arch.restoring.serve.choices import NetworkChoice, split_choice
from semanir_arch.restoring.serve.codec import CodecProcess
from semanir_arch.restoring.serve.job_queue import PhotoJob, RestoredPhoto
from semanir_arch.restoring.serve.watch import StoppedError, Watch
from semanir_arch.restoring.visible import visible
from semanir_arch.tasks import TASKS
from semanir_arch.utils.ensemble import ORIENTATIONS
from semanir_arch.utils.errors import UserError

__all__ = ["Workshop"]

_TILE_PIXELS = 512 * 512

_SHOWN_PIXELS = 4_000_000
"""Larger photos are reduced for the screen."""


class Workshop:
    """Restores jobs; networks are loaded when they are first needed, and kept.

    Args:
        choices: Networks that can be requested.
        open_restorer: Function that loads a network.
    """

    def __init__(
        self, choices: Sequence[NetworkChoice], open_restorer: Callable[[NetworkChoice], Restorer]
    ) -> None:
        self._choices = {choice.name: choice for choice in choices}
        self._open = open_restorer
        self._restorers: dict[str, Restorer] = {}
        self._codec = CodecProcess()

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

    def work(self, job: PhotoJob) -> RestoredPhoto | None:
        """Restore a job's file, or try all tasks on a part of it; None if it was cancelled.

        Raises:
            OSError, TypeError, ValueError, MemoryError, ArithmeticError: As `decode_image` and
                `Restorer.restore`.
        """
        try:
            return self._try_all(job) if job.tries else self._work(job)
        except StoppedError:
            return None

    def _work(self, job: PhotoJob) -> RestoredPhoto:
        image = self._codec.decode(job.data, job.name, job.cancelled)
        chain = split_choice(job.task, self._choices)
        restored = self._restore(job, image.pixels, chain, 0.0, 1.0)
        name = _result_name(job.name, chain, restored)
        result = self._codec.encode(restored, name, image.metadata, job.cancelled)
        lost = lost_metadata(Path(name), image.metadata, restored)
        height, width = restored.shape[:2]
        before, after = (
            self._codec.encode(_for_screen(pixels), "screen.png", None, job.cancelled)
            for pixels in (image.pixels, restored)
        )
        # of a mosaic, the photo itself is no step on the way
        blends = not self.restorer(chain[0].name).demosaics
        return RestoredPhoto(
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
                "blends": blends,
                "notes": "; ".join((*image.notes, *lost)),
            },
            original=job.data if blends else b"",
            restored=restored if blends else None,
            scale=width // image.pixels.shape[1],
        )

    def _try_all(self, job: PhotoJob) -> RestoredPhoto:
        image = self._codec.decode(job.data, job.name, job.cancelled)
        part = interesting_part(image.color)
        known = [name for name in self._choices if name in TASKS]
        chosen = choose(diagnose_data(image, job.data, job.name), known).tasks
        chains = candidates(part, chosen, known)
        chains += [(name,) for name in self._choices if name not in TASKS]
        samples = [self._sample(job, part)]
        for place, names in enumerate(chains):
            chain = [self._choices[name] for name in names]
            ends = place / len(chains), (place + 1) / len(chains)
            samples.append(self._sample(job, self._restore(job, part, chain, *ends)))
        return RestoredPhoto(
            name=job.name,
            media_type="image/png",
            result=b"",
            before=b"",
            after=b"",
            facts={
                "seconds": round(time.monotonic() - job.started, 1),
                "tried": ["+".join(names) for names in chains],
                "chosen": "+".join(chosen),
            },
            samples=tuple(samples),
        )

    def _sample(self, job: PhotoJob, pixels: npt.NDArray[Any]) -> bytes:
        return self._codec.encode(visible(pixels), "screen.png", None, job.cancelled)

    def _restore(
        self,
        job: PhotoJob,
        pixels: npt.NDArray[Any],
        chain: Sequence[NetworkChoice],
        begin: float,
        end: float,
    ) -> npt.NDArray[Any]:
        """Run networks one after another; their progress goes from `begin` to `end`."""
        step = (end - begin) / len(chain)
        for place, choice in enumerate(chain):
            restorer = self.restorer(choice.name)
            start = begin + place * step

            def report(part: float, start: float = start) -> None:
                job.progress = min(1.0, start + part * step)

            watch = Watch(
                restorer.network,
                report,
                job.cancelled,
                passes=_passes(restorer, 1 if pixels.shape[2] <= 2 else 3),
                tile=min(1.0, _TILE_PIXELS / pixels[..., 0].size),
            )
            with watch:
                pixels = restorer.restore(
                    pixels,
                    sigma=job.strength if choice.strength == "sigma" else None,
                    quality=job.strength if choice.strength == "quality" else None,
                    progress=watch.advance,
                )
        return pixels


def _passes(restorer: Restorer, channels: int) -> int:
    """Number of times the network runs on a tile."""
    by_channel = restorer.network.in_chans == 1 and not restorer.demosaics
    return (channels if by_channel else 1) * (ORIENTATIONS if restorer.ensemble else 1)


def _result_name(name: str, chain: Sequence[NetworkChoice], restored: npt.NDArray[Any]) -> str:
    """The file's name and the task; .png for a suffix whose format cannot hold the result."""
    path = Path(name)
    label = "+".join(choice.weights.stem if choice.weights else choice.name for choice in chain)
    try:
        check_format(path, restored.shape, restored.dtype)
    except UserError:
        return f"{path.stem}_{label}.png"
    return f"{path.stem}_{label}{path.suffix}"


def _for_screen(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """8-bit pixels that every browser shows."""
    pixels = visible(image)
    height, width = pixels.shape[:2]
    if height * width > _SHOWN_PIXELS:
        zoom = (_SHOWN_PIXELS / (height * width)) ** 0.5
        size = (max(1, round(width * zoom)), max(1, round(height * zoom)))
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    return pixels
