"""What a process says when it fails: of several, the one that failed first tells its reason."""

from __future__ import annotations

import functools
import os
import sys
import time
from collections.abc import Callable, Sequence

from torch.distributed.elastic.multiprocessing.errors import record

from semanir_arch.utils import processes

__all__ = ["LOST", "refuse", "supervised"]

LOST = 3
"""Exit code of a process that could not go on because another one of the run has ended."""

_PATIENCE = 3.0
"""Seconds in which torchrun ends the other processes of a computer after one has failed."""

Main = Callable[[Sequence[str]], int]


def supervised(main: Main) -> Main:
    """Let torchrun and the user find the process that failed first, and its message.

    When one process fails, the others lose their connection to it a moment later. Their errors
    would bury its message, and torchrun could take one of them for the cause; so they wait to be
    ended. What is not expected keeps its traceback, which torchrun repeats in its summary.

    Args:
        main: Function that gets the command line without the name of the script, and returns the
            exit code.

    Returns:
        Function that does the same for one process.
    """

    @functools.wraps(main)
    def run(argv: Sequence[str]) -> int:
        if not processes.started_by_torchrun(os.environ):
            return main(argv)
        code: int = record(_waiting_when_lost)(main, argv)  # type: ignore[assignment]
        return code

    return run


def refuse(message: str) -> None:
    """Tell what cannot be used.

    Before the processes have joined, all of a computer find the same, and the first one speaks.
    """
    text = f"error: {message}\n"
    if processes.started_by_torchrun(os.environ):
        if not processes.have_joined() and os.environ.get("LOCAL_RANK", "0") != "0":
            time.sleep(_PATIENCE)
        text = f"error in process {os.environ['RANK']}: {message}\n"
    sys.stderr.write(text)


def _waiting_when_lost(main: Main, argv: Sequence[str]) -> int:
    try:
        return main(argv)
    except RuntimeError as error:
        if not processes.lost_connection(error):
            raise
        reason = str(error).strip().partition("\n")[0]
    # Only where the cause is on another computer does this process live long enough to speak.
    time.sleep(_PATIENCE)
    sys.stderr.write(
        f"process {os.environ['RANK']} ends, because another process of the run has ended, or "
        f"cannot be reached; see its message ({reason})\n"
    )
    return LOST
