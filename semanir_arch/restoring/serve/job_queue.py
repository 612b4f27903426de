"""Photos that wait, are restored one at a time, and are kept until they have been fetched."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy.typing as npt

from semanir_arch.utils.errors import UserError, message_of

__all__ = ["BusyError", "PhotoJob", "Queue", "RestoredPhoto"]

State = Literal["waiting", "working", "done", "failed", "cancelled"]

MAX_WAITING = 8
"""Photos that may wait; more are refused."""

KEPT_SECONDS = 600.0
"""Seconds that a result waits to be fetched."""

KEPT_BYTES = 512 * 2**20
"""Most bytes of results and waiting photos; above it, the oldest results go first."""

ABANDONED_SECONDS = 120.0
"""A photo about which no page asks for so long is given up."""


class BusyError(Exception):
    """Too many photos wait already."""


@dataclass(frozen=True)
class RestoredPhoto:
    """Data kept of a restored photo.

    Attributes:
        name: File name of the result.
        media_type: Media type of the result.
        result: The file.
        before: A picture of the photo that browsers can show.
        after: Picture of the result that browsers can show.
        facts: Sizes and seconds, for the page.
        original: The file that was sent, where the result can be blended with it.
        restored: The network's result, for blends; None where there are none.
        scale: Factor by which it is larger than the photo.
        samples: Small pictures, one for each task that was tried.
    """

    name: str
    media_type: str
    result: bytes
    before: bytes
    after: bytes
    facts: dict[str, Any]
    original: bytes = b""
    restored: npt.NDArray[Any] | None = None
    scale: int = 1
    samples: tuple[bytes, ...] = ()

    @property
    def size(self) -> int:
        """Bytes."""
        files = (self.result, self.before, self.after, self.original, *self.samples)
        return sum(map(len, files)) + (0 if self.restored is None else self.restored.nbytes)


@dataclass
class PhotoJob:
    """One photo of one page.

    Attributes:
        task: Names of the choices that restore it, joined by `+`; unused where it `tries`.
        name: The file's name.
        data: The file; dropped when the work ends.
        strength: Bound of the task's strength, None for none.
        tries: Whether a part of the photo is to be restored by every task that fits.
        id: Name that cannot be guessed, so that only the page that sent the photo gets the result.
        state: State of the job.
        progress: Part that is done, 0 to 1.
        started: Start of the work, seconds of `time.monotonic`.
        message: Reason why it failed.
        outcome: Result of a job that is done.
    """

    task: str
    name: str
    data: bytes
    strength: float | None = None
    tries: bool = False
    id: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    state: State = "waiting"
    progress: float = 0.0
    started: float = 0.0
    message: str = ""
    outcome: RestoredPhoto | None = None
    asked: float = field(default_factory=time.monotonic)
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def size(self) -> int:
        """Bytes held."""
        return len(self.data) + (self.outcome.size if self.outcome else 0)

    @property
    def finished(self) -> bool:
        """Whether nothing more happens to it."""
        return self.state not in ("waiting", "working")


class Queue:
    """Works on jobs in the order in which they came, one at a time, in a thread of its own.

    Args:
        work: Function that does one job: sets `progress`, gives up when `cancelled` is set, and
            returns the outcome. A ValueError, TypeError, OSError, MemoryError or ArithmeticError
            becomes the message of a failed job; None is returned for a cancelled one.
    """

    def __init__(self, work: Callable[[PhotoJob], RestoredPhoto | None]) -> None:
        self._work = work
        self._jobs: OrderedDict[str, PhotoJob] = OrderedDict()
        self._changed = threading.Condition()
        self._closed = False
        self._start()

    def submit(self, job: PhotoJob) -> None:
        """Add a job.

        Raises:
            BusyError: Too many wait.
        """
        with self._changed:
            self._tidy(room=job.size)
            waiting = sum(one.state == "waiting" for one in self._jobs.values())
            if waiting >= MAX_WAITING or self._held() + job.size > KEPT_BYTES:
                raise BusyError
            self._jobs[job.id] = job
            self._changed.notify_all()

    def find(self, job_id: str) -> PhotoJob | None:
        """The job of that id, None if it is unknown or forgotten; it counts as asked for."""
        with self._changed:
            self._tidy()
            job = self._jobs.get(job_id)
            if job is not None:
                job.asked = time.monotonic()
            return job

    def ahead(self, job: PhotoJob) -> int:
        """Number of jobs before this one."""
        with self._changed:
            ids = list(self._jobs)
            before = ids[: ids.index(job.id)] if job.id in self._jobs else []
            return sum(not self._jobs[one].finished for one in before)

    def forget(self, job_id: str) -> bool:
        """Cancel a job, or drop its result; False if there is none of that id."""
        with self._changed:
            job = self._jobs.pop(job_id, None)
            if job is not None:
                _cancel(job)
            return job is not None

    def close(self, seconds: float = 10.0) -> None:
        """Cancel everything, and wait for the thread."""
        with self._changed:
            self._closed = True
            for job in self._jobs.values():
                _cancel(job)
            self._jobs.clear()
            self._changed.notify_all()
        self._thread.join(seconds)

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="restoring", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while (job := self._next()) is not None:
            self._do(job)
            # the name would keep its result until the next job comes
            del job

    def _do(self, job: PhotoJob) -> None:
        try:
            outcome = self._work(job)
        except (UserError, OSError, MemoryError) as error:
            self._finish(job, "failed", message=message_of(error) or "not enough memory")
        else:
            self._finish(job, "cancelled" if outcome is None else "done", outcome)
        finally:
            if not job.finished:
                # a defect: it ends this thread with a traceback, and the next job needs another
                self._finish(job, "failed", message="the network failed on this photo")
                self._start()

    def _next(self) -> PhotoJob | None:
        """Wait for a job; None once the queue is closed."""
        with self._changed:
            while not self._closed:
                self._tidy()
                for job in self._jobs.values():
                    if job.state == "waiting":
                        job.state, job.started = "working", time.monotonic()
                        return job
                self._changed.wait(timeout=KEPT_SECONDS / 10)
            return None

    def _finish(
        self, job: PhotoJob, state: State, outcome: RestoredPhoto | None = None, message: str = ""
    ) -> None:
        with self._changed:
            job.data = b""
            # nobody wants the result of a job that was cancelled meanwhile
            kept = not job.cancelled.is_set()
            job.state = state if kept else "cancelled"
            job.outcome = outcome if kept else None
            job.message = message
            self._tidy()

    def _tidy(self, room: int = 0) -> None:
        """Give up what no page asks for, and drop old results; called with the lock.

        Args:
            room: Bytes that are about to come.
        """
        now = time.monotonic()
        for job in list(self._jobs.values()):
            limit = KEPT_SECONDS if job.finished else ABANDONED_SECONDS
            if now - job.asked > limit:
                _cancel(self._jobs.pop(job.id))
        for job in list(self._jobs.values()):
            if self._held() + room <= KEPT_BYTES:
                break
            if job.finished:
                del self._jobs[job.id]

    def _held(self) -> int:
        return sum(job.size for job in self._jobs.values())


def _cancel(job: PhotoJob) -> None:
    job.cancelled.set()
    if job.state == "waiting":
        job.state = "cancelled"
        job.data = b""
