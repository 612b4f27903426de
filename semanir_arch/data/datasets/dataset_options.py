"""Checks and values that the options of several data sets share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from semanir_arch.utils.errors import InputError
from semanir_arch.utils.options import Bounds, Length, Option

PHASES = ("train", "val", "test")
"""Allowed values of `phase`; BasicSR derives it from the block's name."""

PATCH = Annotated[int, Bounds(1, 65536)]
"""Side of a training patch in pixels."""

ROOTS = (str, Annotated[list[str], Length(1)])
"""A folder or file, or several."""

READING_OPTIONS: dict[str, Option] = {
    "cache": Option(
        bool, default=False, help="decode all images at the start and keep them in memory"
    ),
    "check_files": Option(
        bool,
        default=False,
        help="read all images at the start, and report all that are damaged at once",
    ),
    "index_cache": Option(
        str,
        default=None,
        help="folder that keeps lists of files for the next start; null: list them again",
    ),
}
"""Options of reading images; the same in every data set."""


def checked_phase(opt: Mapping[str, Any]) -> str:
    """The `phase` of a data set.

    Raises:
        ValueError: It is not one of `PHASES`.
    """
    phase = opt.get("phase")
    if phase not in PHASES:
        raise InputError(f"phase must be one of {', '.join(PHASES)}, received {phase!r}")
    return phase


def checked_choice(options: Mapping[str, Any], key: str, allowed: tuple[Any, ...]) -> Any:
    """The value of an option.

    Raises:
        ValueError: It is not one of `allowed`.
    """
    if options[key] not in allowed:
        choices = ", ".join(map(repr, allowed))
        raise InputError(f"{key} must be one of {choices}, received {options[key]!r}")
    return options[key]
