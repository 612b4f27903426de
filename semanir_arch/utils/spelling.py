"""Names that look the same and are not: another case, or letters stored in another way.

An accented letter is one character (Unicode NFC, as Linux and Windows write it) or a letter and an
accent (NFD, as macOS did). Both look alike on the screen, and are different names.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from semanir_arch.utils.same_names import folded

__all__ = ["hint_at_names", "hint_at_path"]


def hint_at_names(wanted: Iterable[str], present: Iterable[str]) -> str:
    """A clause, from the semicolon on, on the first name that is there in another spelling.

    Args:
        wanted: Names that were not found.
        present: Names that are there.

    Returns:
        Hint; empty if there is none.
    """
    alike = {folded(name): name for name in present}
    for name in wanted:
        near = alike.get(folded(name))
        if near is not None:
            return f"; {near} is there, {_tell_apart(name, near)}: rename one of them"
    return ""


def hint_at_path(path: str | os.PathLike[str]) -> str:
    """Hint at similar names, for a path that does not exist, from the folders it names."""
    found = Path(path).expanduser()
    for part in [found, *found.parents]:
        if part.parent.is_dir() and not part.exists():
            try:
                present = os.listdir(part.parent)  # noqa: PTH208
            except OSError:
                return ""
            near = {folded(name): name for name in present}.get(folded(part.name))
            if near is not None:
                return f"; {part.parent / near} is there, {_tell_apart(part.name, near)}"
    return ""


def _tell_apart(name: str, near: str) -> str:
    if unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", near):
        return "but its letters are stored in another way (Unicode NFC and NFD)"
    return "in another case"
