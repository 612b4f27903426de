"""Timing on a shared machine: candidates in turn, medians, and ratios round by round."""

from __future__ import annotations

import os
import platform
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch

__all__ = [
    "Report",
    "Timing",
    "compare",
    "header",
    "markdown_line",
    "markdown_rule",
    "markdown_table",
]


@dataclass(frozen=True)
class Timing:
    """Seconds of one candidate, a number per round."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Median in milliseconds."""
        return 1e3 * statistics.median(self.seconds)

    def ratio(self, other: Timing) -> float:
        """Median of this candidate's time over the other's in the same round."""
        return statistics.median(a / b for a, b in zip(self.seconds, other.seconds, strict=True))


def compare(
    candidates: Mapping[str, Callable[[], object]],
    rounds: int = 15,
    warmup: int = 2,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Timing]:
    """Time the candidates one after the other, round by round.

    Args:
        candidates: Name -> what to run.
        rounds: Measurements per candidate.
        warmup: Rounds that are not counted.
        clock: Seconds; `time.process_time` for those that the processor spent on this process,
            which other programs on the machine change less.
    """
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for index in range(warmup + rounds):
        for name, run in candidates.items():
            _synchronize()
            start = clock()
            run()
            _synchronize()
            if index >= warmup:
                seconds[name].append(clock() - start)
    return {name: Timing(tuple(values)) for name, values in seconds.items()}


class Report:
    """Writes text to the terminal and to a file as it comes."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        if path is not None:
            path.write_text("")

    def __call__(self, text: str) -> None:
        """Add `text`."""
        sys.stdout.write(text)
        sys.stdout.flush()
        if self.path is not None:
            with self.path.open("a") as file:
                file.write(text)


def header(title: str) -> str:
    """Markdown that says when, where, with what and by which command the figures were made."""
    command = shlex.join(["python", *sys.argv])
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else _processor()
    return (
        f"# {title}\n\n"
        f"{datetime.now(UTC):%Y-%m-%d}, {device}, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}, Python {platform.python_version()}.\n"
        f"Load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors at the start.\n"
        f"Command: `{command}`. Medians; ratios are medians of the rounds' ratios.\n"
    )


def markdown_table(columns: list[str], rows: list[list[str]]) -> str:
    """Lay cells out as a Markdown table."""
    return markdown_rule(columns) + "".join(map(markdown_line, rows))


def markdown_rule(columns: list[str]) -> str:
    """The first two lines of a Markdown table."""
    return markdown_line(columns) + markdown_line(["---"] * len(columns))


def markdown_line(cells: list[str]) -> str:
    """One line of a Markdown table."""
    return "| " + " | ".join(cells) + " |\n"


def _processor() -> str:
    for line in (
        Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    ):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
