"""Names that are one and the same for some file systems: in upper or lower case, or composed."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

__all__ = ["clashes", "first_clash", "folded"]


def folded(name: str) -> str:
    """Form of a name that is equal for names macOS or Windows may take for one.

    Capitals become small, and letters with accents one character (NFC) instead of two (NFD, as
    macOS writes them).
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def clashes(names: Iterable[str]) -> list[list[str]]:
    """Groups of names that are the same; of names that are equal to the letter, one alone."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(folded(name), []).append(name)
    return [[*dict.fromkeys(group)] for group in groups.values() if len(group) > 1]


def first_clash(names: Iterable[str]) -> tuple[str, str] | None:
    """The first name that is the same as an earlier one, behind that one; None if all differ."""
    seen: dict[str, str] = {}
    for name in names:
        key = folded(name)
        if key in seen:
            return seen[key], name
        seen[key] = name
    return None
