"""Many small jobs over processes, with progress: what all scripts share."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

import cv2
import torch

from semanir_arch.utils import processes
from semanir_arch.utils.command_line import Exit, run_guarded
from semanir_arch.utils.errors import InputError, UserError
from semanir_arch.utils.shown import shown

Job = TypeVar("Job")
Result = TypeVar("Result")

_KEPT = "\n\t"
_SECONDS_BETWEEN_LINES = 5.0
# enough that no process waits for the next job, few enough that memory stays flat
_JOBS_PER_PROCESS = 4


class Progress:
    """Lines about the progress, not more than one in some seconds.

    Args:
        seconds: Time between two lines; the first also comes only after it.
    """

    def __init__(self, seconds: float = _SECONDS_BETWEEN_LINES) -> None:
        self.seconds = seconds
        self._last = time.monotonic()

    def __call__(self, text: str) -> None:
        """Show a line, unless the last one was shown a moment ago."""
        if time.monotonic() - self._last >= self.seconds:
            self._last = time.monotonic()
            say(text)


def say(text: str) -> None:
    """Write a line at once, for people who watch."""
    sys.stdout.write(f"{shown(text, _KEPT)}\n")
    sys.stdout.flush()


def run_script(run: Callable[[], Iterable[str]]) -> int:
    """Run a script, and tell what went wrong in one line each.

    Args:
        run: Function that returns one message for everything that could not be done.

    Returns:
        Exit code: 0; 1 if something could not be done; 2 if nothing could, because of the
        arguments; 130 after Ctrl-C.
    """

    def work() -> int:
        problems = list(run())
        for problem in problems:
            _complain(problem)
        return Exit.SOME_FAILED if problems else Exit.DONE

    return run_guarded(
        "", work, tell=_complain, interrupted="interrupted; run the same command again to continue"
    )


def _complain(text: str) -> None:
    sys.stderr.write(f"{shown(text, _KEPT)}\n")


def default_workers() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_jobs(
    function: Callable[[Job], Result], jobs: Iterable[Job], workers: int
) -> Iterator[tuple[Job, Result | Exception]]:
    """Call a function for every job, in processes.

    Args:
        function: Function of a module, so that other processes find it.
        jobs: Jobs; the iterable is read little by little.
        workers: Number of processes; 1 works in this one.

    Yields:
        Every job, in the order they end, with its result, or the UserError or OSError it raised.

    Raises:
        ValueError: `workers` is below 1.
    """
    if workers < 1:
        raise InputError(f"workers must be 1 or more, received {workers}")
    if workers == 1:
        for job in jobs:
            yield job, _attempt(function, job)
        return
    remaining = iter(jobs)
    with _single_threaded(), ProcessPoolExecutor(workers, initializer=_prepare_worker) as pool:
        running: dict[Future[Result | Exception], Job] = {}
        try:
            while True:
                free = workers * _JOBS_PER_PROCESS - len(running)
                for job in islice(remaining, free):
                    running[pool.submit(_attempt, function, job)] = job
                if not running:
                    return
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for task in done:
                    yield running.pop(task), task.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _attempt(function: Callable[[Job], Result], job: Job) -> Result | Exception:
    try:
        return function(job)
    except (UserError, OSError) as error:
        return error


@contextmanager
def _single_threaded() -> Iterator[None]:
    """Let OpenCV work in one thread, here and in processes that are forked meanwhile.

    One process per core leaves nothing for threads to win; and a forked process would wait for ever
    for OpenCV's threads, which are not forked with it.
    """
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def _prepare_worker() -> None:
    processes.end_with_parent()
    # Ctrl-C reaches all processes; only the first shall react
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
