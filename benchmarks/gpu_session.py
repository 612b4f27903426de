"""Steps that share a few minutes: each a process of its own, bounded, its result saved at once.

Nothing here knows what the steps do; see `gpu_hour.py`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from semanir_arch.utils.atomic import write_text

__all__ = ["LOG", "RECORD", "Child", "Process", "Session", "Step"]

RECORD, LOG = "gpu_hour.json", "gpu_hour.log"

GRACE = 8.0
"""Seconds between asking a process to stop and killing it; a training saves its state in them."""

_LEAST = 5.0
_POLL = 0.25
_SAVE_EVERY = 5.0
_LAST_LINE = 200


class Child(Protocol):
    """A running step."""

    def wait(self, seconds: float) -> int | None:
        """Exit status, or None if it still runs after that time."""

    def stop(self) -> None:
        """End it: politely, then not."""


class Process:
    """A step as a process group of its own.

    Args:
        command: Program and arguments.
        variables: Variables added to the environment.
        folder: Folder to run in.
        log: File to which the output is appended.
    """

    def __init__(
        self, command: Sequence[str], variables: Mapping[str, str], folder: Path, log: Path
    ) -> None:
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env=os.environ | dict(variables),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self, seconds: float) -> int | None:
        """Wait for the end; see `Child`."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self) -> None:
        """Ask it to stop; see `Child`."""
        for sign, patience in ((signal.SIGINT, GRACE), (signal.SIGKILL, GRACE)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, sign)
            if self.wait(patience) is not None:
                break
        # its own children, loaders and test workers, may have outlived it
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)


@dataclass(frozen=True)
class Step:
    """One thing to do.

    Args:
        name: Key in the record.
        title: Title for people.
        seconds: Most time that it may take.
        command: Function that makes the command from the seconds that it really gets.
        read: Function that makes the entry of the record from the output so far.
        variables: Variables added to the environment.
        folder: Folder to run in; None for the current one.
        least: Seconds below which it is not worth starting.
        needs: Steps that must have passed.
        always: Whether it is done again in each call.
    """

    name: str
    title: str
    seconds: float
    command: Callable[[float], Sequence[str]]
    read: Callable[[str], dict[str, Any]] = lambda _: {}
    variables: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    least: float = _LEAST
    needs: Sequence[str] = ()
    always: bool = False


Start = Callable[[Sequence[str], Mapping[str, str], Path, Path], Child]


class Session:
    """Runs steps until the time is up, and keeps a record that a second call continues.

    Args:
        output: Folder of record and log, made if needed.
        seconds: Time for all calls together.
        start: Function that starts a step.
        clock: Seconds that only grow.
        facts: Facts at the beginning of the record. If they differ from those of an existing
            record, its steps run again, apart from those that `keep` names.
        keep: Prefix of the names of steps that stay.
    """

    def __init__(
        self,
        output: Path,
        seconds: float,
        *,
        facts: Mapping[str, Any],
        start: Start = Process,
        clock: Callable[[], float] = time.monotonic,
        keep: str = "train",
    ) -> None:
        output.mkdir(parents=True, exist_ok=True)
        self.output, self._start, self._clock = output, start, clock
        self._file, self._log = output / RECORD, output / LOG
        old = json.loads(self._file.read_text(encoding="utf-8")) if self._file.is_file() else {}
        steps = old.get("steps", {})
        if any(old.get(name) != value for name, value in facts.items()):
            steps = {name: entry for name, entry in steps.items() if name.startswith(keep)}
        self.record: dict[str, Any] = {**old, **facts, "steps": steps}
        self._before = old.get("used_s", 0.0)
        self._began, self._seconds = clock(), seconds
        self.save()

    def left(self) -> float:
        """Seconds that remain of all."""
        return self._seconds - self._before - (self._clock() - self._began)

    def status(self, name: str) -> str | None:
        """Status of a step; None if it was not begun."""
        found: str | None = self.record["steps"].get(name, {}).get("status")
        return found

    def run(self, step: Step) -> str:
        """Run a step, unless it has passed before.

        Returns:
            "passed", "failed", "killed" (it ran into its limit), "no time" or "not possible".

        Raises:
            BaseException: What interrupted this process; the step has been stopped and noted.
        """
        if self.status(step.name) == "passed" and not step.always:
            return "passed"
        entry: dict[str, Any] = {"title": step.title, "seconds": 0.0}
        self.record["steps"][step.name] = entry
        unmet = [name for name in step.needs if self.status(name) != "passed"]
        limit = min(step.seconds, self.left() - GRACE)
        if unmet or limit < step.least:
            reason = self.record["steps"].get(unmet[0], {}).get("last line", "") if unmet else ""
            entry["last line"] = f"needs: {', '.join(unmet)}. {reason}".strip() if unmet else ""
            return self._end(entry, "not possible" if unmet else "no time")
        self._run(step, entry, limit)
        return str(entry["status"])

    def _run(self, step: Step, entry: dict[str, Any], limit: float) -> None:
        entry["status"] = "interrupted"
        began = self._clock()
        with self._log.open("a", encoding="utf-8") as log:
            log.write(f"\n=== {step.title} (at most {limit:.0f} s)\n")
            offset = log.tell()
        self.save()
        command, folder = step.command(limit), step.folder or Path.cwd()
        child = self._start(command, step.variables, folder, self._log)
        saved, code = began, None
        try:
            while (code := child.wait(_POLL)) is None and self._clock() - began < limit:
                if self._clock() - saved >= _SAVE_EVERY:
                    saved = self._clock()
                    self._note(step, entry, offset, began)
            if code is None:
                child.stop()
        except BaseException:
            child.stop()
            self._note(step, entry, offset, began)
            raise
        entry["exit status"] = code
        self._note(step, entry, offset, began)
        self._end(entry, "killed" if code is None else "failed" if code else "passed")

    def _note(self, step: Step, entry: dict[str, Any], offset: int, began: float) -> None:
        with self._log.open("rb") as log:
            log.seek(offset)
            text = log.read().decode(errors="replace")
        lines = [line for line in text.splitlines() if line.strip()]
        entry["seconds"] = round(self._clock() - began, 1)
        entry["last line"] = lines[-1].strip()[:_LAST_LINE] if lines else ""
        entry.update(step.read(text))
        self.save()

    def _end(self, entry: dict[str, Any], status: str) -> str:
        entry["status"] = status
        self.save()
        return status

    def save(self) -> None:
        """Write the record; it is complete at any moment."""
        self.record["used_s"] = round(self._before + self._clock() - self._began, 1)
        write_text(self._file, json.dumps(self.record, indent=1) + "\n")
