"""Many images read at once: all damaged ones in one message, in parallel, with progress."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from semanir_arch.utils.errors import InputError, UserError

T = TypeVar("T")

# BasicSR's handlers listen below this name; without them Python's own rules hold
_LOGGER = logging.getLogger("basicsr.data")
_BATCH = 256
_PATIENCE = 10.0


def read_all(count: int, read: Callable[[int], T], what: str, *, keep: bool = False) -> list[T]:
    """Call `read` for 0 to `count` - 1 in several threads (decoders let others run).

    A log line every ten seconds says how far it is.

    Args:
        count: Number of items.
        read: Function that reads and checks one image.
        what: Name of the images in messages, such as a data root.
        keep: Whether to return the results.

    Returns:
        The results in order; nothing without `keep`.

    Raises:
        ValueError: After all have been read: some are damaged or missing. All are listed, one per
            line.
    """
    kept: list[T] = []
    problems: list[str] = []
    reported = time.monotonic()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, count, _BATCH):
            indices = range(start, min(start + _BATCH, count))
            for result in pool.map(lambda index: _attempt(read, index), indices):
                if isinstance(result, _Problem):
                    problems.append(result.text)
                elif keep:
                    kept.append(result)
            if time.monotonic() - reported > _PATIENCE:
                _LOGGER.info("%s: %d of %d items read", what, indices.stop, count)
                reported = time.monotonic()
    if problems:
        # several inputs may share a damaged target
        lines = dict.fromkeys(line for problem in problems for line in problem.splitlines())
        raise InputError(
            f"{what}: {len(problems)} of {count} items cannot be used:\n" + "\n".join(lines)
        )
    return kept


@dataclass(frozen=True)
class _Problem:
    text: str


def _attempt(read: Callable[[int], T], index: int) -> T | _Problem:
    try:
        return read(index)
    except (UserError, OSError) as error:
        return _Problem(str(error))
