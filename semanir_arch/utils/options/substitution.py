"""`${name}` in option files: a top-level scalar or an entry of `vars`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from semanir_arch.utils.options.inheritance import Merged
from semanir_arch.utils.options.problems import KeyPath, OptionError, Problem, add, hint
from semanir_arch.utils.options.yaml_reading import REFERENCE
from semanir_arch.utils.values import show

VARS_KEY = "vars"

LARGEST = 100_000
"""Values and characters that complete options may have."""

_LONGEST = 4096
_DEEPEST = 32


def substitute(merged: Merged) -> None:
    """Replace every reference in place and drop `vars`.

    A reference that is the whole value keeps the type of what it names, so `sigma: ${sigma}` may be
    a number or a list; inside a text it is written out.

    Raises:
        OptionError: References to unknown names or in a circle, and entries of `vars` that nothing
            uses.
    """
    variables = merged.options.get(VARS_KEY) or {}
    if not isinstance(variables, dict):
        problem = Problem(
            merged.origin((VARS_KEY,)),
            (VARS_KEY,),
            f"expected names and values, received {show(variables)}",
        )
        raise OptionError(problem)
    scalars = {
        name: value for name, value in merged.options.items() if not isinstance(value, (dict, list))
    }
    scalars.pop(VARS_KEY, None)
    twice = [
        Problem(
            merged.origin((VARS_KEY, name)),
            (VARS_KEY, name),
            f"{merged.origin((name,))} sets {name} as well",
        )
        for name in variables
        if name in scalars
    ]
    if twice:
        raise OptionError(twice)
    substitution = _Substitution(merged, {**scalars, **variables})
    body = {name: value for name, value in merged.options.items() if name != VARS_KEY}
    merged.options = substitution.walk(body, ())
    used = (merged.references | substitution.used) & set(variables)
    unused = [
        Problem(
            merged.origin((VARS_KEY, name)),
            (VARS_KEY, name),
            f"nothing refers to ${{{name}}}; {hint(name, used)}",
        )
        for name in variables
        if name not in used
    ]
    if substitution.problems or unused:
        raise OptionError([*substitution.problems, *unused])


class _Substitution:
    """One pass over the options: collects what was used and what was wrong."""

    def __init__(self, merged: Merged, names: Mapping[str, Any]) -> None:
        self._merged = merged
        self._names = names
        self.used: set[str] = set()
        self.problems: list[Problem] = []
        self._known: dict[str, Any] = {}
        self._size = 0

    def walk(self, value: Any, key: KeyPath) -> Any:
        if isinstance(value, dict):
            return {name: self.walk(item, (*key, str(name))) for name, item in value.items()}
        if isinstance(value, list):
            return [self.walk(item, key) for item in value]
        result = self._replace(value, key, ()) if isinstance(value, str) else value
        self._size += _size(result)
        if self._size > LARGEST:
            text = f"with this value the options are larger than {LARGEST:,d} values or characters"
            raise OptionError(Problem(self._merged.origin(key), key, text))
        return result

    def _replace(self, text: str, key: KeyPath, opened: tuple[str, ...]) -> Any:
        whole = REFERENCE.fullmatch(text)
        if whole:
            return self._look_up(whole.group(1), key, opened)
        written = ""
        end = 0
        for match in REFERENCE.finditer(text):
            written += text[end : match.start()] + _write(self._look_up(match[1], key, opened))
            end = match.end()
            if len(written) > _LONGEST:
                self._report(key, f"longer than {_LONGEST:,d} characters with its references")
                return ""
        return written + text[end:]

    def _look_up(self, name: str, key: KeyPath, opened: tuple[str, ...]) -> Any:
        self.used.add(name)
        if name in opened:
            self._report(key, f"${{{name}}} refers to itself")
            return None
        if name not in self._names:
            self._report(key, f"${{{name}}} is not defined; {hint(name, self._names)}")
            return None
        if len(opened) > _DEEPEST:
            self._report(key, f"refers to more than {_DEEPEST} names one behind the other")
            return None
        if name not in self._known:
            # once per name: chains of names that double each other would take for ever
            value = self._names[name]
            if isinstance(value, str):
                value = self._replace(value, key, (*opened, name))
            self._known[name] = value
        return self._known[name]

    def _report(self, key: KeyPath, text: str) -> None:
        add(self.problems, Problem(self._merged.origin(key), key, text))


def _write(value: Any) -> str:
    """A value inside a text, where it often becomes part of a path: a range is `15-50`."""
    return "-".join(map(str, value)) if isinstance(value, list) else str(value)


def _size(value: Any) -> int:
    """Values and characters; a list that many references share counts for each."""
    if isinstance(value, dict):
        return 1 + sum(map(_size, value.values()))
    if isinstance(value, list):
        return 1 + sum(map(_size, value))
    return len(value) if isinstance(value, str) else 1
