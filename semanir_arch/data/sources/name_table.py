"""Very many names in little memory.

A list of a million strings is a million objects. Every process that a loader forks touches their
reference counts and so copies the pages they lie in: the loader's memory grows as it reads. A
`NameTable` is two objects, whatever the number of names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import overload

import numpy as np

_DIGITS = re.compile(r"[0-9]+")
_ALL_DIGITS_ALIKE = str.maketrans("123456789", "0" * 9)
# Linux allows names that are not UTF-8; they come and go as Python itself passes them
_ENCODING, _ERRORS = "utf-8", "surrogateescape"


class NameTable(Sequence[str]):
    """An unchangeable sequence of strings, stored as one piece of UTF-8.

    Args:
        names: The strings, in order.
    """

    __slots__ = ("_ends", "_text")

    def __init__(self, names: Iterable[str]) -> None:
        encoded = [name.encode(_ENCODING, _ERRORS) for name in names]
        self._text = b"".join(encoded)
        self._ends = np.fromiter(accumulate(map(len, encoded)), np.int64, len(encoded))

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> NameTable: ...

    def __getitem__(self, index: int | slice) -> str | NameTable:
        if isinstance(index, slice):
            return NameTable(self[i] for i in range(*index.indices(len(self))))
        index = range(len(self))[index]
        start = self._ends[index - 1] if index else 0
        return self._text[start : self._ends[index]].decode(_ENCODING, _ERRORS)

    def __iter__(self) -> Iterator[str]:
        start = 0
        for end in self._ends.tolist():
            yield self._text[start:end].decode(_ENCODING, _ERRORS)
            start = end

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NameTable):
            return NotImplemented
        return self._text == other._text and np.array_equal(self._ends, other._ends)

    __hash__ = None  # type: ignore[assignment]

    @property
    def nbytes(self) -> int:
        """Bytes of memory in use."""
        return len(self._text) + self._ends.nbytes


def natural_order(names: Iterable[str]) -> list[str]:
    """Sort relative paths so that runs of digits count as numbers: `img2` before `img10`.

    Folders are compared before what they hold; `1` and `01` differ by their text.
    """
    names = list(names)
    # numbers of equal width: their order is that of their digits, and found four times as fast
    shape = names[0].translate(_ALL_DIGITS_ALIKE) if names else ""
    if all(name.translate(_ALL_DIGITS_ALIKE) == shape for name in names):
        return sorted(names)
    return sorted(names, key=_natural_key)


def _natural_key(name: str) -> tuple[str, str]:
    # "\0" sorts below every character of a file name, so that "a/x" comes before "a b/x"
    return _DIGITS.sub(_sortable_number, name).replace("/", "\0"), name


def _sortable_number(digits: re.Match[str]) -> str:
    number = digits[0].lstrip("0")
    # the count of digits first: numbers of any length compare by value
    return f"{len(number):03d}{number}"
