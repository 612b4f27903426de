"""`--force_yml a:b=value`: change options from the command line."""

from __future__ import annotations

from collections.abc import Iterable

from semanir_arch.utils.errors import InputError
from semanir_arch.utils.options.inheritance import Merged
from semanir_arch.utils.options.problems import KeyPath, OptionError, Problem, join
from semanir_arch.utils.options.yaml_reading import parse_value
from semanir_arch.utils.values import show

COMMAND_LINE = "command line"


def apply_overrides(merged: Merged, entries: Iterable[str]) -> list[KeyPath]:
    """Set values before references are resolved, so `vars:sigma=50` is like editing the file.

    Values are parsed as YAML. A key that is new here is judged by the validation, which knows what
    may be set.

    Args:
        merged: Merged options, changed in place.
        entries: `key:key=value`, BasicSR's syntax.

    Returns:
        The keys that were set.

    Raises:
        OptionError: An entry without `=` or with an unreadable value, or one that reaches below a
            plain value.
    """
    keys, problems = [], []
    for entry in entries:
        name, sign, text = entry.partition("=")
        key = tuple(part.strip() for part in name.split(":"))
        if not sign or not all(key):
            problems.append(
                Problem(COMMAND_LINE, (), f"expected key:key=value, received {entry!r}")
            )
            continue
        try:
            _assign(merged, key, parse_value(text))
        except ValueError as error:
            problems.append(Problem(COMMAND_LINE, key, str(error)))
        keys.append(key)
    if problems:
        raise OptionError(problems)
    return keys


def _assign(merged: Merged, key: KeyPath, value: object) -> None:
    block = merged.options
    for depth, part in enumerate(key[:-1], start=1):
        # A null block is how option files leave a section empty.
        if block.get(part) is None:
            block[part] = {}
            merged.origins[key[:depth]] = COMMAND_LINE
        if not isinstance(block[part], dict):
            raise InputError(f"{join(key[:depth])} is {show(block[part])}, which has no keys")
        block = block[part]
    block[key[-1]] = value
    merged.origins = {
        other: origin for other, origin in merged.origins.items() if other[: len(key)] != key
    }
    merged.origins[key] = COMMAND_LINE
