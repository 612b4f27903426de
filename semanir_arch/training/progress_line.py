"""One live line on a terminal: iterations, speed, time to go, waiting for data, memory, losses."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

from tqdm import tqdm  # type: ignore[import-untyped]

from semanir_arch.training.observer import Observer, Times, TrainingFacts
from semanir_arch.utils import processes
from semanir_arch.utils.memory import describe_peak

__all__ = ["ProgressLine"]

_REFRESH = 0.5
_LAYOUT = (
    "{desc} {percentage:3.0f}%|{bar:12}| {n_fmt}/{total_fmt} "
    "[{elapsed}<{remaining}, {rate_fmt}{postfix}]"
)
_MESSAGE_LOGGER = ("logger", "__call__")
"""Module and function from which BasicSR's `MessageLogger` logs its line of numbers."""


class ProgressLine(Observer):
    """The live line, in the first process and only on a terminal.

    Log lines appear above it, except BasicSR's line of numbers, which says the same and goes to the
    log file alone. Where there is no terminal nothing changes: that line is printed as ever.

    Args:
        stream: Stream of the line.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._bar: Any = None
        self._waited = self._passed = 0.0
        self._next = 0.0
        self._handlers: list[tuple[logging.Logger, logging.Handler, logging.Handler]] = []

    def started(self, facts: TrainingFacts) -> None:
        """Show the line."""
        if processes.rank() != 0 or not self._stream.isatty():
            return
        logger = logging.getLogger("basicsr")
        for handler in [*logger.handlers]:
            if isinstance(handler, logging.StreamHandler) and handler.stream is self._stream:
                self._redirect(logger, handler)
        self._bar = tqdm(
            desc=facts.options["name"],
            initial=facts.done,
            total=facts.schedule.total_iter,
            file=self._stream,
            bar_format=_LAYOUT,
            dynamic_ncols=True,
            mininterval=_REFRESH,
        )

    def step(self, iteration: int, log: Mapping[str, float], times: Times) -> None:
        """Move the line on."""
        if self._bar is None:
            return
        self._waited += times.data
        self._passed += times.total
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _REFRESH
            self._bar.set_postfix_str(self._describe(log), refresh=False)
            self._waited = self._passed = 0.0
        self._bar.update(iteration - self._bar.n)

    def finished(self) -> None:
        """Leave the last state of the line, and let log lines go where they went before."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        for logger, ours, former in self._handlers:
            logger.removeHandler(ours)
            logger.addHandler(former)
        self._handlers.clear()

    def _describe(self, log: Mapping[str, float]) -> str:
        share = self._waited / self._passed if self._passed else 0.0
        numbers = (f"{name} {value:.3e}" for name, value in log.items())
        return ", ".join([f"data {share:.0%}", describe_peak(), *numbers])

    def _redirect(self, logger: logging.Logger, former: logging.Handler) -> None:
        ours = _AboveTheLine(self._stream)
        ours.setFormatter(former.formatter)
        ours.setLevel(former.level)
        logger.removeHandler(former)
        logger.addHandler(ours)
        self._handlers.append((logger, ours, former))


class _AboveTheLine(logging.Handler):
    """Prints log lines without tearing the live line apart."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self.addFilter(lambda record: (record.module, record.funcName) != _MESSAGE_LOGGER)

    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(self.format(record), file=self._stream)
