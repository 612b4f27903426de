"""What all commands share: exit codes, a parser whose mistakes are one line, one way to end.

The arguments of each command stand in the command's own module; see `semanir_arch.commands`.
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import io
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any, NoReturn

from semanir_arch.utils.errors import is_users, message_of
from semanir_arch.utils.suggestions import did_you_mean

__all__ = [
    "FAULT",
    "Exit",
    "Parser",
    "ReaderGoneError",
    "open_streams",
    "run_guarded",
    "spell_command",
]

_INVALID_CHOICE = re.compile(r"invalid choice: '([^']*)' \(choose from (.*)\)")


class Exit(IntEnum):
    """Exit codes of all commands."""

    DONE = 0
    SOME_FAILED = 1
    """Some files or images failed, each with one message; the others are done."""
    REFUSED = 2
    """Something given cannot be used; nothing was done."""
    LOST = 3
    """Another process of the run has ended."""
    INTERRUPTED = 130
    """Ctrl-C; what was reported as done is complete."""


class Parser(argparse.ArgumentParser):
    """One line per mistake, with the nearest allowed name."""

    def error(self, message: str) -> NoReturn:
        """End the process with code 2."""
        found = _INVALID_CHOICE.search(message)
        if found:
            allowed = [name.strip(" '") for name in found[2].split(",")]
            message += did_you_mean(found[1], allowed)
        self.exit(Exit.REFUSED, f"{self.prog}: {message} ({self.prog} --help explains)\n")

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """Read the command line; unknown options are told with the nearest known one.

        Every command begins with it, so that it also makes `open_streams` hold for all of them.
        """
        open_streams()
        arguments, unknown = self.parse_known_args(args, namespace)
        if unknown:
            option = unknown[0].partition("=")[0]
            near = did_you_mean(option, self._known_options()) if option.startswith("-") else ""
            self.error(f"unrecognized arguments: {shlex.join(unknown)}{near}")
        return arguments

    def _known_options(self) -> Iterable[str]:
        for action in self._actions:
            yield from action.option_strings
            if isinstance(action, argparse._SubParsersAction):
                for parser in action.choices.values():
                    yield from parser._known_options()


class ReaderGoneError(SystemExit):
    """Nobody reads our lines any more, as after `| head`: the process ends without a word.

    No `OSError`, which handlers of single files would take for one of theirs.
    """


class _Pipe(io.FileIO):
    """A standard stream whose reader may leave."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            # what is still in buffers is dropped at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            raise ReaderGoneError(Exit.SOME_FAILED) from None


def open_streams() -> None:
    """Prepare stdout and stderr; a second call does nothing.

    A process that was started without one (`>&-`) gets one that keeps nothing. Where a reader
    leaves early, the next write raises `ReaderGoneError`.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
            continue
        raw = getattr(getattr(stream, "buffer", None), "raw", getattr(stream, "buffer", None))
        # others were put there by somebody who wants to read them: tests, notebooks
        if type(stream) is not io.TextIOWrapper or type(raw) is not io.FileIO:
            continue
        stream.flush()
        pipe = _Pipe(raw.fileno(), "wb", closefd=False)
        binary = pipe if stream.buffer is raw else io.BufferedWriter(pipe)
        text = io.TextIOWrapper(
            binary,
            encoding=stream.encoding,
            errors=stream.errors,
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )
        setattr(sys, name, text)
        atexit.register(_flush, text)


def _flush(stream: io.TextIOWrapper) -> None:
    """Before Python does it, which would print a message of its own."""
    with contextlib.suppress(ReaderGoneError, ValueError):
        stream.flush()


FAULT = (
    "This is a fault of semanir-arch, not of what it was given. Please report it: send the lines "
    "above, the command, and what `python -m semanir_arch.doctor` prints."
)


def run_guarded(
    prog: str,
    work: Callable[[], int | None],
    *,
    tell: Callable[[str], None] | None = None,
    interrupted: str = "interrupted",
) -> int:
    """Run a command, and turn the errors that are the user's into one message.

    Everything else is a fault of this package: it keeps its traceback, and says so.

    Args:
        prog: Name of the command, for messages.
        work: Function that does everything; its result is the exit code, None stands for 0.
        tell: Function that shows a message; None for stderr, after the name of the command.
        interrupted: Message after Ctrl-C.

    Returns:
        The exit code.
    """

    def write(text: str) -> None:
        sys.stderr.write(f"{prog}: {text}\n")

    tell = tell or write
    try:
        return int(work() or Exit.DONE)
    except KeyboardInterrupt:
        tell(interrupted)
        return Exit.INTERRUPTED
    except Exception as error:
        if not is_users(error):
            error.add_note(FAULT)
            raise
        tell(message_of(error))
        return Exit.REFUSED


def spell_command(argv: Sequence[str]) -> str:
    """The present command as it was typed, to be shown to the user.

    Args:
        argv: Arguments without the name of the command.

    Returns:
        `python train.py ...`, `python -m semanir_arch train ...`, `python -m semanir_arch.x ...` or
        `semanir-train ...`.
    """
    script = Path(sys.argv[0])
    # `python -m semanir_arch` is several commands: the first argument says which
    word = sys.argv[1:2] if script.parts[-2:] == ("semanir_arch", "__main__.py") else []
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    if spec is not None and spec.name != "__main__" and spec.name.startswith("semanir_arch"):
        start = ["python", "-m", spec.name.removesuffix(".__main__")]
    elif script.suffix == ".py":
        start = ["python", sys.argv[0]]
    else:
        start = [script.name]
    return shlex.join([*start, *word, *argv])
