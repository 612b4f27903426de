"""What a value from an option file or a weights file may be: its type, range, length and choices.

A type is anything that can stand in a signature. Its limits are written beside it, where people and
programs read them::

    def __init__(self, depths: Annotated[Sequence[int], Length(1, 32)], rate: Annotated[float,
        Bounds(above=0)]) -> None: ...

YAML knows null, booleans, integers, floats, texts, lists and mappings, so a tuple is asked for as a
list and a path as a text. Annotations that cannot be judged accept everything: the constructor
itself has the last word.
"""

from __future__ import annotations

import collections.abc
import itertools
import math
import os
import reprlib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

__all__ = [
    "Ascending",
    "Bounds",
    "Entries",
    "FileName",
    "Length",
    "OneOf",
    "Strength",
    "describe",
    "fault",
    "matches",
    "show",
]

LARGEST = 2**53
"""Whole numbers up to here are exact in every format that options pass through."""

_LISTS = (
    list,
    tuple,
    collections.abc.Sequence,
    collections.abc.Iterable,
    collections.abc.Collection,
)
_MAPPINGS = (dict, collections.abc.Mapping)
_LONGEST_NAME = 180
_SHOWN = reprlib.Repr()
_SHOWN.maxlevel, _SHOWN.maxstring, _SHOWN.maxother, _SHOWN.maxlong = 6, 160, 160, 60
_SHOWN.maxlist = _SHOWN.maxtuple = _SHOWN.maxdict = 24


@dataclass(frozen=True)
class Bounds:
    """Range of a number.

    Args:
        least: Smallest number allowed.
        most: Largest number allowed.
        above: The number must be larger than this.
        below: The number must be smaller than this.
        whole: Whether a float must be a whole number, such as 2e5.
        multiple_of: The number must be a multiple of this.
    """

    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None
    whole: bool = False
    multiple_of: int | None = None

    def accepts(self, value: Any) -> bool:
        """Whether a number lies inside."""
        return (
            (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
            and (not self.whole or value == int(value))
            and (self.multiple_of is None or value % self.multiple_of == 0)
        )

    def __str__(self) -> str:
        low, high = None, None
        if self.least is not None and self.most is not None:
            low = f"from {_plain(self.least)} to {_plain(self.most)}"
        elif self.least is not None:
            low = f"of {_plain(self.least)} or more"
        elif self.above is not None:
            low = f"above {_plain(self.above)}"
        if self.below is not None:
            high = f"below {_plain(self.below)}"
        elif self.most is not None and self.least is None:
            high = f"{_plain(self.most)} at most"
        multiple = f"a multiple of {self.multiple_of}" if self.multiple_of is not None else None
        return ", ".join(part for part in (low, high, multiple) if part is not None)


@dataclass(frozen=True)
class Length:
    """Limits on the number of items of a list.

    Args:
        least: Fewest items allowed.
        most: Most items allowed; None for any number.
        total: Largest sum of the items allowed; None for any.
    """

    least: int = 0
    most: int | None = None
    total: int | None = None

    def accepts(self, value: Any) -> bool:
        """Whether a list has such a length and sum."""
        return (
            self.least <= len(value)
            and (self.most is None or len(value) <= self.most)
            and (self.total is None or sum(value) <= self.total)
        )

    def __str__(self) -> str:
        if self.least == self.most:
            text = f"of {self.least} items"
        elif self.most is None:
            text = f"of {self.least} or more items" if self.least else ""
        else:
            text = f"of {self.least} to {self.most} items"
        if self.total is not None:
            text += f"{', ' if text else ''}together {self.total} at most"
        return text


@dataclass(frozen=True)
class Ascending:
    """The numbers of a list go from low to high."""

    def accepts(self, value: Any) -> bool:
        """Whether they do; equal ones may follow each other."""
        return all(low <= high for low, high in itertools.pairwise(value))

    def __str__(self) -> str:
        return "from low to high"


class OneOf:
    """The allowed values, where they can be listed."""

    def __init__(self, *choices: Any) -> None:
        self.choices = choices

    def accepts(self, value: Any) -> bool:
        """Whether a value is one of them; 1 is not true, and 1.0 is not 1."""
        return any(value == other and type(value) is type(other) for other in self.choices)

    def __str__(self) -> str:
        return ", ".join(map(repr, self.choices))


@dataclass(frozen=True)
class FileName:
    """A text that names one file or folder, here and on other computers: never a path."""

    def accepts(self, value: Any) -> bool:
        """Whether a text can be such a name."""
        try:
            size = len(value.encode("utf-8"))
        except UnicodeEncodeError:
            return False
        return (
            0 < size <= _LONGEST_NAME
            and value == value.strip()
            and value.strip(".") != ""
            and value.isprintable()
            and not set(value) & set("/\\")
        )

    def __str__(self) -> str:
        return (
            f"that can name a folder: 1 to {_LONGEST_NAME} bytes, no / or \\, no spaces at its "
            "ends, nothing that cannot be printed, and not only dots"
        )


@dataclass(frozen=True)
class Entries:
    """The keys of a mapping, each with its type.

    Args:
        types: Type of the value of every key that may be given.
        required: Keys that must be given; None for all.
    """

    types: Mapping[str, Any]
    required: tuple[str, ...] | None = None

    def accepts(self, value: Any) -> bool:
        """Whether a mapping has these keys and such values."""
        needed = self.types if self.required is None else self.required
        return all(key in value for key in needed) and all(
            key in self.types and matches(item, self.types[key]) for key, item in value.items()
        )

    def __str__(self) -> str:
        needed = self.types if self.required is None else self.required
        inner = (
            f"{key}{'' if key in needed else ' (optional)'}: {describe(kind)}"
            for key, kind in self.types.items()
        )
        return f"{{{', '.join(inner)}}}"


@dataclass(frozen=True)
class Strength:
    """A strength of a degradation: a number, a range [low, high] or {list: [values]}.

    Args:
        lowest: Smallest number allowed.
        highest: Largest number allowed.
        whole: Whether only whole numbers make sense.
    """

    lowest: float
    highest: float
    whole: bool = False

    @property
    def number(self) -> Any:
        """Type of one number."""
        bounds = Bounds(self.lowest, self.highest, whole=self.whole)
        return Annotated[float, bounds]

    @property
    def forms(self) -> tuple[Any, ...]:
        """Types of the three forms."""
        number = self.number
        return (
            number,
            Annotated[list[number], Length(2, 2), Ascending()],  # type: ignore[valid-type]
            Annotated[
                dict[str, Any],
                Entries({"list": Annotated[list[number], Length(1)]}),  # type: ignore[valid-type]
            ],
        )

    def __str__(self) -> str:
        kind = "whole number" if self.whole else "number"
        limits = f"from {_plain(self.lowest)} to {_plain(self.highest)}"
        return f"{kind}, range [low, high] or {{list: [values]}}, {limits}"


def matches(value: Any, expected: Any, *, limits: bool = True) -> bool:
    """Whether a value is what a type asks for.

    Args:
        value: Value from a file.
        expected: A type, an annotation, or a tuple of them of which one must fit.
        limits: Whether ranges, lengths and choices count too.
    """
    if expected is Any:
        return True
    if isinstance(expected, Strength):
        expected = expected.forms
    if isinstance(expected, tuple):
        return any(matches(value, choice, limits=limits) for choice in expected)
    origin, arguments = typing.get_origin(expected), typing.get_args(expected)
    if origin is Annotated:
        inner, *marks = arguments
        return matches(value, inner, limits=limits) and (
            not limits or all(mark.accepts(value) for mark in marks if hasattr(mark, "accepts"))
        )
    if origin in (typing.Union, types.UnionType):
        return any(matches(value, choice, limits=limits) for choice in arguments)
    if origin is typing.Literal:
        return OneOf(*arguments).accepts(value)
    if expected in _LISTS or origin in _LISTS:
        return isinstance(value, (list, tuple)) and _items_match(value, origin, arguments, limits)
    if expected in _MAPPINGS or origin in _MAPPINGS:
        return isinstance(value, dict)
    return origin is not None or _is_of_class(value, expected)


def fault(value: Any, expected: Any) -> str | None:
    """Describe what a type asks for instead of a value; None if the value fits.

    Returns:
        `expected int` for another type, `allowed: int of 1 or more` for a number out of range.
    """
    if matches(value, expected):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return f"expected {describe(expected)}, and finite"
    kind = "allowed:" if matches(value, expected, limits=False) else "expected"
    return f"{kind} {describe(expected)}"


def describe(expected: Any) -> str:
    """A type in words: `int of 1 or more, list of int or null`."""
    if expected is Any:
        return "anything"
    if isinstance(expected, tuple):
        return either([describe(choice) for choice in expected])
    if isinstance(expected, Strength):
        return str(expected)
    origin, arguments = typing.get_origin(expected), typing.get_args(expected)
    if origin is Annotated:
        return _describe_limits(*arguments)
    if origin in (typing.Union, types.UnionType):
        return either([describe(choice) for choice in arguments])
    if origin is typing.Literal:
        return either([repr(choice) for choice in arguments])
    if expected in (None, type(None)):
        return "null"
    if expected in _LISTS or origin in _LISTS:
        inner = list(dict.fromkeys(describe(item) for item in arguments if item is not Ellipsis))
        count = f"{len(arguments)} " if origin is tuple and Ellipsis not in arguments else ""
        return f"list of {count}{either(inner)}" if inner else "list"
    if expected in _MAPPINGS or origin in _MAPPINGS:
        return "keys and values"
    return getattr(expected, "__name__", str(expected))


def show(value: Any) -> str:
    """A value for a message, cut where it is long or deep."""
    return _SHOWN.repr(value)


def either(words: list[str]) -> str:
    """`a, b or c`."""
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]


def _describe_limits(inner: Any, *marks: Any) -> str:
    """A type with what stands beside it."""
    text = describe(inner)
    for mark in marks:
        if isinstance(mark, (OneOf, Entries)) or getattr(mark, "says_everything", False):
            return str(mark)
        if isinstance(mark, Bounds) and mark.whole:
            text = "whole number"
        text = f"{text} {mark}".rstrip() if hasattr(mark, "accepts") else text
    return text


def _is_of_class(value: Any, expected: Any) -> bool:
    if expected in (None, type(None)):
        return value is None
    if expected in (int, float):
        return _is_number(value, expected)
    if expected in (bool, str):
        return isinstance(value, expected)
    if isinstance(expected, type):
        # YAML has no objects; a path is written as text.
        return issubclass(expected, os.PathLike) and isinstance(value, str)
    return True


def _is_number(value: Any, kind: type) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, kind)):
        return False
    number: Any = value
    return math.isfinite(number) if isinstance(number, float) else abs(number) <= LARGEST


def _items_match(
    value: list[Any] | tuple[Any, ...], origin: Any, arguments: tuple[Any, ...], limits: bool
) -> bool:
    if not arguments:
        return True
    if origin is tuple and Ellipsis not in arguments:
        return len(value) == len(arguments) and all(
            matches(item, kind, limits=limits) for item, kind in zip(value, arguments, strict=True)
        )
    return all(matches(item, arguments[0], limits=limits) for item in value)


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) and abs(number) < 1e6 else f"{number:g}"
