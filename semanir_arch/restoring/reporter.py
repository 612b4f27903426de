"""What `semanir-restore` says: lines, and on a terminal how far it is and how long it will take."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from semanir_arch.utils.errors import message_of

if TYPE_CHECKING:
    from tqdm import tqdm  # type: ignore[import-untyped]

__all__ = ["Reporter", "one_line"]

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_LAYOUT = "{percentage:3.0f}%|{bar:20}| {elapsed} passed, {remaining} to go{desc}"


def one_line(error: Exception) -> str:
    """The message of an error without ends of lines."""
    return " ".join(message_of(error).split())


class Reporter:
    """Lines on stdout and stderr, and below them one live line if stderr is a terminal.

    Args:
        total: Amount of work of all files together, in any unit, such as their pixels; 0 for no
            live line.
    """

    def __init__(self, total: float) -> None:
        self._bar: tqdm | None = None
        self._done = self._current = 0.0
        if total > 0 and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=total, bar_format=_LAYOUT, file=sys.stderr, leave=False)

    def begin(self, name: str, work: float) -> None:
        """Start on a file that is this much work."""
        self._current = work
        if self._bar is not None:
            self._bar.set_description_str(f" ({name})", refresh=True)

    def advance(self, share: float) -> None:
        """This share of the file is done, 0 to 1."""
        if self._bar is not None:
            self._bar.update(self._done + share * self._current - self._bar.n)

    def finish(self) -> None:
        """The file is done, or has failed."""
        self.advance(1.0)
        self._done += self._current
        self._current = 0.0

    def say(self, line: str) -> None:
        """Write a line to stdout."""
        self._write(line, sys.stdout)

    def complain(self, line: str) -> None:
        """Write a line to stderr."""
        self._write(f"semanir-restore: {line}", sys.stderr)

    def close(self) -> None:
        """Remove the live line."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _write(self, line: str, stream: object) -> None:
        if self._bar is not None:
            self._bar.clear()
        # names may hold any bytes, also ends of lines and a terminal's commands
        shown = _CONTROL.sub(lambda found: f"\\x{ord(found.group()):02x}", line)
        # in one piece: several processes may share the stream
        text = f"{shown}\n".encode(errors="surrogateescape")
        stream.flush()  # type: ignore[attr-defined]
        stream.buffer.write(text)  # type: ignore[attr-defined]
        stream.flush()  # type: ignore[attr-defined]
        if self._bar is not None:
            self._bar.refresh()
