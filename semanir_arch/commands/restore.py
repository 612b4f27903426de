"""The command `semanir-restore`: image files and folders in, restored files out.

Several processes share the files; each takes a GPU of its own where there are any:
`torchrun --nproc_per_node N -m semanir_arch.commands.restore ...`.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from semanir_arch.commands.restore_arguments import build_parser, parse_arguments
from semanir_arch.restoring.reporter import Reporter
from semanir_arch.utils.command_line import Exit, run_guarded
from semanir_arch.utils.errors import InputError
from semanir_arch.utils.threads import wait_idly

__all__ = ["build_parser", "main"]

ALL_RESTORED, SOME_FAILED = Exit.DONE, Exit.SOME_FAILED
NOTHING_POSSIBLE, INTERRUPTED = Exit.REFUSED, Exit.INTERRUPTED


def main(argv: Sequence[str] | None = None) -> int:
    """Restore images; one message per file that cannot be restored, and on with the rest.

    Args:
        argv: Arguments; None for those of the process.

    Returns:
        0; 1 if a file could not be restored; 2 if nothing could, because of the arguments or the
        weights; 130 after an interruption, which leaves no half-written file.
    """
    arguments = parse_arguments(argv)
    reporter = Reporter(total=0)
    with _quiet_libraries(), _interruptible():
        return run_guarded(
            "semanir-restore",
            lambda: _run(arguments, reporter),
            tell=lambda text: reporter.complain(" ".join(text.split())),
            interrupted="interrupted; files reported above are complete",
        )


def _run(arguments: argparse.Namespace, reporter: Reporter) -> int:
    if arguments.list:
        from semanir_arch.restoring.listing import list_scores, list_tasks

        text = list_scores() if arguments.scores else list_tasks()
        for line in text.splitlines():
            reporter.say(line)
        return ALL_RESTORED
    wait_idly()
    if arguments.diagnose or arguments.sheet:
        from semanir_arch.restoring.looking import diagnose_all, try_all

        return (diagnose_all if arguments.diagnose else try_all)(arguments, reporter)
    if arguments.serve or arguments.explain is not None:
        return _serve(arguments, reporter) if arguments.serve else _explain(arguments, reporter)
    # after parsing: torch takes seconds to load, and --help should not
    from semanir_arch.restoring.batch import restore_all

    return restore_all(arguments, dict(os.environ))


def _serve(arguments: argparse.Namespace, reporter: Reporter) -> int:
    from semanir_arch.restoring.batch import open_restorer
    from semanir_arch.restoring.serve import check_installed

    check_installed()
    from semanir_arch.restoring.serve.server import serve

    serve(
        lambda choice: open_restorer(
            arguments, choice.weights, arguments.task if choice.weights else choice.name
        ),
        reporter.say,
        host=arguments.host,
        port=arguments.port,
        weights=arguments.weights,
        task=arguments.task,
    )
    return ALL_RESTORED


def _explain(arguments: argparse.Namespace, reporter: Reporter) -> int:
    from semanir_arch.restoring.batch import open_restorer
    from semanir_arch.restoring.explain.output_files import explain_file, read_pixel

    pixel = read_pixel(arguments.explain)
    if len(arguments.input) != 1:
        raise InputError(f"--explain takes one image, received {len(arguments.input)}")
    restorer = open_restorer(arguments, arguments.weights, arguments.task)
    page, picture = explain_file(
        restorer,
        Path(arguments.input[0]),
        pixel,
        arguments.output,
        overwrite=arguments.overwrite,
        bayer=arguments.bayer,
    )
    reporter.say(f"{page} (the same as a picture: {picture})")
    return ALL_RESTORED


@contextmanager
def _quiet_libraries() -> Iterator[None]:
    """Keep Pillow's and torch's warnings off the screen: what matters, our messages say."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let a request to end (SIGTERM) clean up as Ctrl-C does."""

    def stop(*_: int | FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    former = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


if __name__ == "__main__":
    sys.exit(main())
