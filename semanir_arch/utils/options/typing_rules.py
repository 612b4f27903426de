"""Whether a value read from YAML fits a type or a typing annotation.

YAML knows null, booleans, integers, floats, texts, lists and mappings, so a tuple is asked for as a
list and a path as a text. Annotations that cannot be judged accept everything: the constructor
itself has the last word.
"""

from __future__ import annotations

import collections.abc
import inspect
import os
import types
import typing
from collections.abc import Callable, Container
from typing import Any

from semanir_arch.utils.options.declaration import REQUIRED, Option

_LISTS = (
    list,
    tuple,
    collections.abc.Sequence,
    collections.abc.Iterable,
    collections.abc.Collection,
)
_MAPPINGS = (dict, collections.abc.Mapping)


def matches(value: Any, expected: Any) -> bool:
    """Whether `value` is what `expected` (a type, an annotation, or a tuple of them) describes."""
    if expected is Any:
        return True
    if isinstance(expected, tuple):
        return any(matches(value, choice) for choice in expected)
    origin, arguments = typing.get_origin(expected), typing.get_args(expected)
    if origin in (typing.Union, types.UnionType):
        return any(matches(value, choice) for choice in arguments)
    if origin is typing.Literal:
        return value in arguments
    if expected in (None, type(None)):
        return value is None
    if expected in (int, float):
        return isinstance(value, (int, expected)) and not isinstance(value, bool)
    if expected in (bool, str):
        return isinstance(value, expected)
    if expected in _LISTS or origin in _LISTS:
        return isinstance(value, (list, tuple)) and _items_match(value, origin, arguments)
    if expected in _MAPPINGS or origin in _MAPPINGS:
        return isinstance(value, dict)
    if isinstance(expected, type) and origin is None:
        # YAML has no objects; a path is written as text.
        return issubclass(expected, os.PathLike) and isinstance(value, str)
    return True


def describe(expected: Any) -> str:
    """A type or annotation in words: `int, list of int or null`."""
    if expected is Any:
        return "anything"
    if isinstance(expected, tuple):
        return _either([describe(choice) for choice in expected])
    origin, arguments = typing.get_origin(expected), typing.get_args(expected)
    if origin in (typing.Union, types.UnionType):
        return _either([describe(choice) for choice in arguments])
    if origin is typing.Literal:
        return _either([repr(choice) for choice in arguments])
    if expected in (None, type(None)):
        return "null"
    if expected in _LISTS or origin in _LISTS:
        inner = [describe(item) for item in arguments if item is not Ellipsis]
        return f"list of {_either(list(dict.fromkeys(inner)))}" if inner else "list"
    if expected in _MAPPINGS or origin in _MAPPINGS:
        return "keys and values"
    return getattr(expected, "__name__", str(expected))


def signature_options(
    function: Callable[..., Any], skip: Container[str] = ()
) -> dict[str, Option] | None:
    """The keyword arguments of a function or constructor as declared options.

    Args:
        function: Class or function that receives an option block as keyword arguments.
        skip: Arguments that the caller supplies itself.

    Returns:
        One option per argument, or None where `**kwargs` accepts everything.
    """
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    try:
        hints = typing.get_type_hints(function.__init__ if inspect.isclass(function) else function)
    except (NameError, TypeError):
        # Annotations that exist only for a type checker.
        hints = {}
    return {
        parameter.name: Option(
            hints.get(parameter.name, Any),
            default=REQUIRED if parameter.default is parameter.empty else parameter.default,
        )
        for parameter in parameters
        if parameter.name not in skip and parameter.kind is not parameter.VAR_POSITIONAL
    }


def _items_match(
    value: list[Any] | tuple[Any, ...], origin: Any, arguments: tuple[Any, ...]
) -> bool:
    if not arguments:
        return True
    if origin is tuple and Ellipsis not in arguments:
        return len(value) == len(arguments) and all(map(matches, value, arguments))
    return all(matches(item, arguments[0]) for item in value)


def _either(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]
