"""The arguments of a function or constructor as declared options."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Container, Mapping
from dataclasses import replace
from typing import Any

from semanir_arch.utils.options.option_types import REQUIRED, Option

__all__ = ["declare", "signature_options"]

_ARGUMENT = re.compile(r"    (\w+): (.*)")


def signature_options(
    function: Callable[..., Any], skip: Container[str] = ()
) -> dict[str, Option] | None:
    """The keyword arguments of a function or constructor as declared options.

    Args:
        function: Class or function that receives an option block as keyword arguments. Its
            annotations are the types, with the limits that stand beside them in `Annotated`; the
            help is what its docstring says below `Args:`.
        skip: Arguments that the caller supplies itself.

    Returns:
        One option per argument, or None where `**kwargs` accepts everything.
    """
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    try:
        owner = function.__init__ if inspect.isclass(function) else function
        hints = typing.get_type_hints(owner, include_extras=True)
    except (NameError, TypeError):
        # Annotations that exist only for a type checker.
        hints = {}
    texts = _argument_texts(inspect.getdoc(function) or "")
    return {
        parameter.name: Option(
            hints.get(parameter.name, Any),
            default=REQUIRED if parameter.default is parameter.empty else parameter.default,
            help=texts.get(parameter.name, ""),
        )
        for parameter in parameters
        if parameter.name not in skip and parameter.kind is not parameter.VAR_POSITIONAL
    }


def declare(
    options: Mapping[str, Option] | None, types: Mapping[str, Any]
) -> dict[str, Option] | None:
    """Options with the types and limits that a foreign signature does not tell.

    Args:
        options: Result of `signature_options`.
        types: Types by name; those of other options are not used.
    """
    if options is None:
        return None
    return {
        name: replace(option, type=types[name]) if name in types else option
        for name, option in options.items()
    }


def _argument_texts(docstring: str) -> dict[str, str]:
    """Descriptions of the arguments in a Google docstring, one line each."""
    section = docstring.partition("Args:\n")[2]
    texts: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        found = _ARGUMENT.fullmatch(line)
        if found:
            name = found[1]
            texts[name] = found[2].strip()
        elif line.startswith("        ") and name:
            texts[name] += f" {line.strip()}"
        else:
            break
    return texts
