"""The nearest allowed name, for messages about a misspelled one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["did_you_mean", "nearest"]

_LONGEST = 100


def nearest(name: str, allowed: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The allowed name that looks most like a given one, or None if none is close.

    Args:
        name: Name that was written.
        allowed: Names that could have been meant.
        cutoff: Least similarity, 0 to 1.
    """
    if len(str(name)) > _LONGEST:
        # nobody misspells a name of that length, and comparing it would take long
        return None
    found = difflib.get_close_matches(str(name), [*map(str, allowed)], n=1, cutoff=cutoff)
    return found[0] if found else None


def did_you_mean(name: str, allowed: Iterable[str], cutoff: float = 0.6) -> str:
    """The end of a message: `; did you mean 'x'?`, or nothing if no name is close.

    Args:
        name: Name that was written.
        allowed: Names that could have been meant.
        cutoff: Least similarity, 0 to 1.
    """
    near = nearest(name, allowed, cutoff)
    return f"; did you mean {near!r}?" if near is not None else ""
