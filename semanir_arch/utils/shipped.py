"""Folders that lie beside the package in a clone, and inside it in an installation."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from semanir_arch.utils.errors import MissingFileError

__all__ = ["find_option_file", "renamed", "shipped_folder", "was_of_tests"]

_PACKAGE = Path(__file__).parents[1]


def shipped_folder(name: str) -> Path:
    """Find the folder `options` or `datasets_prep`.

    Args:
        name: Name of the folder.

    Raises:
        FileNotFoundError: It is in neither place.
    """
    for parent in (_PACKAGE, _PACKAGE.parent):
        if (parent / name).is_dir():
            return parent / name
    raise MissingFileError(
        f"{_PACKAGE / name}: no such folder; this installation of semanir-arch is incomplete, "
        "install it again"
    )


def renamed(path: str | os.PathLike[str]) -> Path:
    """An option file by the name that it has now.

    Leaves lay in `options/train` and `options/test` before a training and its test shared one. A
    user's own file at such a place comes first.

    Args:
        path: Path as given.

    Returns:
        The path itself where there is such a file, or no other one.
    """
    path = Path(path)
    if path.exists():
        return path
    parts = path.parts
    for index in range(len(parts) - 2, -1, -1):
        if parts[index] in ("train", "test"):
            now = Path(*parts[:index], *parts[index + 1 :])
            if now.is_file():
                return now
    return path


def find_option_file(given: str) -> str:
    """A path of the user or, where there is no such file, the option file of that name we ship.

    A name from before a training and its test shared a file is told on standard error.

    Args:
        given: Path as written on the command line, for example `options/denoising/X.yml`; the
            leading `options/` may be left out.

    Returns:
        The path of a file, or `given` where there is none.
    """
    candidates = [Path(given)]
    if not candidates[0].is_absolute():
        with contextlib.suppress(FileNotFoundError):
            candidates.append(shipped_folder("options") / given.removeprefix("options/"))
    for candidate in candidates:
        found = renamed(candidate)
        if found.exists():
            if found != candidate:
                sys.stderr.write(f"note: {given} is now {_short(found)}\n")
            return given if found == Path(given) else str(found)
    return given


def was_of_tests(given: str, found: str) -> bool:
    """Whether a former name was one of the folder of tests, so that a test is meant.

    Args:
        given: Path as written on the command line.
        found: Result of `find_option_file`.
    """
    parts, now = Path(given).parts, Path(found).parts
    return given != found and any(
        part == "test" and now[-len(rest) :] == rest
        for part, rest in ((parts[i], parts[i + 1 :]) for i in range(len(parts) - 1))
    )


def _short(path: Path) -> str:
    """Part of the path from `options` on."""
    parts = path.parts
    start = max((i for i, part in enumerate(parts) if part == "options"), default=0)
    return str(Path(*parts[start:]))
