"""Files decoded and encoded in a process of its own, which can be ended at any moment.

Neither can be stopped in the middle within a process. The child is started when it is first needed,
without torch, and stays for the next photo; one that was stopped, or took too long, is replaced.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any

import numpy.typing as npt

from semanir_arch.data.files.image_io import Image
from semanir_arch.data.files.image_metadata import Metadata
from semanir_arch.restoring.diagnosis import Diagnosis
from semanir_arch.restoring.serve.watch import StoppedError
from semanir_arch.utils.errors import InputError

__all__ = ["CodecProcess"]

SECONDS = 60.0
"""Within which a photo must be decoded, or a result encoded; ordinary ones need a few."""

MEMORY = 6 * 2**30
"""Bytes of addresses that the child may have, where the system can limit them."""

_ASK_EVERY = 0.05

# the data sets, which the package beside image_io imports, need torch: 2 s and 300 MB for nothing
_CHILD = """
import sys, types
import semanir_arch
package = types.ModuleType("semanir_arch.data")
package.__path__ = [f"{folder}/data" for folder in semanir_arch.__path__]
sys.modules["semanir_arch.data"] = package
from semanir_arch.restoring.serve.codec_work import answer
answer(int(sys.argv[1]))
"""


class CodecProcess:
    """Decodes and encodes; used by one thread at a time."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None

    def decode(self, data: bytes, name: str, stop: threading.Event) -> Image:
        """`image_io.decode_image`, elsewhere.

        Raises:
            StoppedError: `stop` was set.
            ValueError: As `decode_image`; or it takes too long or too much memory.
        """
        image: Image = self._ask(("decode", data, name), name, stop)
        return image

    def encode(
        self, pixels: npt.NDArray[Any], name: str, metadata: Metadata | None, stop: threading.Event
    ) -> bytes:
        """`image_encoding.encode_image`, elsewhere.

        Raises:
            StoppedError: `stop` was set.
            ValueError: As `encode_image`; or it takes too long or too much memory.
        """
        encoded: bytes = self._ask(("encode", pixels, Path(name), metadata), name, stop)
        return encoded

    def look(
        self, data: bytes, name: str, stop: threading.Event, *, shown: bool
    ) -> tuple[Diagnosis, bytes]:
        """Diagnose a photo; with `shown`, also make a small PNG of it, else empty.

        Raises:
            StoppedError: `stop` was set.
            ValueError: As `decode_image`; or it takes too long or too much memory.
        """
        found: tuple[Diagnosis, bytes] = self._ask(("look", data, name, shown), name, stop)
        return found

    def close(self) -> None:
        """End the child."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()
            for stream in (child.stdin, child.stdout):
                with suppress(OSError):
                    if stream is not None:
                        stream.close()

    def _ask(self, request: tuple[Any, ...], name: str, stop: threading.Event) -> Any:
        if stop.is_set():
            raise StoppedError
        if self._child is None or self._child.poll() is not None:
            self.close()
            self._child = _start()
        child = self._child
        assert child.stdin is not None, "opened as a pipe"
        assert child.stdout is not None, "opened as a pipe"
        answers: SimpleQueue[tuple[bool, Any] | None] = SimpleQueue()
        arguments = (child.stdin, child.stdout, request, answers)
        thread = threading.Thread(target=_exchange, args=arguments, daemon=True)
        thread.start()
        left = SECONDS
        while left > 0:
            try:
                answer = answers.get(timeout=_ASK_EVERY)
            except Empty:
                left -= _ASK_EVERY
                if stop.is_set():
                    self.close()
                    raise StoppedError from None
                continue
            if answer is None:
                self.close()
                raise InputError(f"{name}: its decoder ended; the file is damaged or too large")
            good, result = answer
            if not good:
                raise result
            return result
        self.close()
        raise InputError(f"{name}: takes longer than {SECONDS:g} seconds; it is refused")


def _start() -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", _CHILD, str(MEMORY)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )


def _exchange(
    there: IO[bytes], back: IO[bytes], request: Any, answers: SimpleQueue[tuple[bool, Any] | None]
) -> None:
    """Send a request, and wait for the answer; None where the child has ended."""
    try:
        pickle.dump(request, there, pickle.HIGHEST_PROTOCOL)
        there.flush()
        answers.put(pickle.load(back))
    except (OSError, EOFError, ValueError, pickle.UnpicklingError):
        answers.put(None)
