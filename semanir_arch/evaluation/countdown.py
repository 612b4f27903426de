"""How far a test is and how long it will take: a live line, or a line in the log now and then."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any, TextIO

from tqdm import tqdm  # type: ignore[import-untyped]

from semanir_arch.utils import processes

__all__ = ["Countdown"]

_LOGGER = logging.getLogger("basicsr")
_LAYOUT = "{desc} {percentage:3.0f}%|{bar:12}| {n_fmt} of {total_fmt} images, {elapsed} spent"
_SILENCE = 30.0
"""Seconds between two lines in the log."""


class Countdown:
    """Counts the images of all sets under all settings; the first process speaks for all.

    How many images later settings have is not known before they begin; they are taken to have as
    many as the current one.

    Args:
        settings: Number of settings to test.
        stream: Stream of the live line, if it is a terminal.
    """

    def __init__(self, settings: int, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._speaks = processes.rank() == 0
        self._later = settings
        self._begun = self._reused = self._computed = 0
        self._current = 0
        self._title = ""
        self._spent = 0.0
        self._mark = self._spoken = time.monotonic()
        self._bar: Any = None
        if self._speaks and self._stream.isatty():
            self._bar = tqdm(unit="image", file=self._stream, dynamic_ncols=True)

    def begin_setting(self, images: int) -> None:
        """The next setting begins.

        Args:
            images: Number of images in all sets of the setting.
        """
        self._later -= 1
        self._current = images
        self._begun += images
        self._show()

    def begin_set(self, title: str, reused: int) -> None:
        """The next set begins.

        Args:
            title: Name of the set, and the setting.
            reused: Images whose scores are known.
        """
        self._title = title
        self._reused += reused
        self._mark = time.monotonic()
        self._show()

    def step(self) -> None:
        """An image was measured by this process, and one by each of the others about now."""
        now = time.monotonic()
        self._spent += now - self._mark
        self._mark = now
        self._computed += processes.world_size()
        self._show()

    def close(self) -> None:
        """End the live line."""
        if self._bar is not None:
            self._bar.close()

    def remaining(self) -> float | None:
        """Seconds to go, from the mean so far; None before the first image."""
        if not self._computed:
            return None
        left = max(self._total - self._reused - self._computed, 0)
        return left * self._spent / self._computed

    @property
    def _total(self) -> int:
        return self._begun + self._later * self._current

    def _show(self) -> None:
        if not self._speaks:
            return
        seconds = self.remaining()
        left = "" if seconds is None else f", {tqdm.format_interval(seconds)} to go"
        done = min(self._reused + self._computed, self._total)
        if self._bar is not None:
            self._bar.bar_format = _LAYOUT + left
            self._bar.total = self._total
            self._bar.set_description_str(self._title, refresh=False)
            self._bar.update(done - self._bar.n)
        elif self._computed and time.monotonic() - self._spoken >= _SILENCE:
            self._spoken = time.monotonic()
            _LOGGER.info("%s: %d of %d images%s", self._title, done, self._total, left)
