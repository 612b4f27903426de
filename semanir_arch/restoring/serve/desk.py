"""What is answered at once, beside the queue: what is wrong with a photo, and blends of a result.

Neither runs a network. Both decode files, in a process of their own, one at a time.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from semanir_arch.restoring.diagnosis import choose
from semanir_arch.restoring.pixels import split
from semanir_arch.restoring.serve.codec import CodecProcess
from semanir_arch.restoring.serve.job_queue import BusyError, RestoredPhoto
from semanir_arch.restoring.strength import keep_share
from semanir_arch.restoring.visible import with_visible_colors
from semanir_arch.utils.errors import InputError

__all__ = ["Desk"]

_MOST = 8
"""Questions that may be open; more are refused."""


class Desk:
    """Answers from any thread."""

    def __init__(self) -> None:
        self._codec = CodecProcess()
        self._turn = threading.Lock()
        self._room = threading.BoundedSemaphore(_MOST)
        self._ended = threading.Event()

    def close(self) -> None:
        """Stop what is being answered, and end the process beside."""
        self._ended.set()
        with self._turn:
            self._codec.close()

    def look(
        self, data: bytes, name: str, offered: Collection[str], *, shown: bool
    ) -> dict[str, Any]:
        """Diagnose a photo.

        Args:
            data: The file.
            name: Name of the photo in messages.
            offered: Names of the tasks that may be chosen.
            shown: Whether a picture of it is wanted, for browsers that cannot show the file.

        Returns:
            Size of the photo, findings in plain words, names of the tasks that help (none for a
            clean photo), hints, and the picture as an address that holds it.

        Raises:
            ValueError: It cannot be decoded.
            BusyError: Too many questions are open.
            StoppedError: The server ends.
        """
        with self._admitted():
            diagnosis, preview = self._codec.look(data, name, self._ended, shown=shown)
        choice = choose(diagnosis, offered)
        said: dict[str, Any] = {
            "width": diagnosis.width,
            "height": diagnosis.height,
            "findings": choice.findings,
            "tasks": list(choice.tasks),
            "hints": [hint.partition(": ")[0] for hint in choice.hints],
        }
        if preview:
            said["preview"] = f"data:image/png;base64,{base64.b64encode(preview).decode('ascii')}"
        return said

    def blend(self, outcome: RestoredPhoto, share: float) -> bytes:
        """A result's file that keeps only a share of the change.

        Args:
            outcome: Result with its original and restored pixels.
            share: Share of the change, 0 to 1; 0 gives the photo itself, or its bicubic
                enlargement.

        Raises:
            ValueError: The result cannot be blended.
            BusyError: Too many questions are open.
            StoppedError: The server ends.
        """
        if outcome.restored is None:
            raise InputError("this result cannot be blended with its photo")
        with self._admitted():
            image = self._codec.decode(outcome.original, outcome.name, self._ended)
            blended = outcome.restored.copy()
            given = split(image.pixels)
            # as the command: the network did not see hidden colors, unless all is wanted back
            before = given if share == 0 else with_visible_colors(given)
            keep_share(before, blended, share, outcome.scale)
            return self._codec.encode(blended, outcome.name, image.metadata, self._ended)

    @contextmanager
    def _admitted(self) -> Iterator[None]:
        if not self._room.acquire(blocking=False):
            raise BusyError
        try:
            with self._turn:
                yield
        finally:
            self._room.release()
