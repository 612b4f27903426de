"""Merge a leaf option file with the fragments its `_base_` lists.

The depth is two: a leaf names fragments, fragments name nothing. Fragments must not set the same
key, so the order of the list has no meaning; the leaf overrides. Mappings merge, everything else
replaces.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from semanir_arch.utils.options.loading import Source, find_references, load_file
from semanir_arch.utils.options.problems import KeyPath, OptionError, Problem, join, shown
from semanir_arch.utils.values import show

BASE_KEY = "_base_"

_MOST_FRAGMENTS = 32


@dataclass
class Merged:
    """Options and where each was written.

    Args:
        path: The leaf.
        options: Merged content, without `_base_`.
        origins: `file:line` of every key.
        fragments: The files of `_base_`.
        inherits: Whether the leaf has a `_base_`, perhaps an empty one; one without is a plain
            BasicSR file.
        references: Names that any of the files refers to, also where an override replaces them.
    """

    path: Path
    options: dict[str, Any]
    origins: dict[KeyPath, str]
    fragments: list[Path]
    inherits: bool = False
    references: set[str] = field(default_factory=set)

    def origin(self, key: KeyPath) -> str:
        """Where `key` was written or, if it was not, the nearest key above it."""
        for length in range(len(key), 0, -1):
            if key[:length] in self.origins:
                return self.origins[key[:length]]
        return shown(self.path)


def merge_file(path: str | os.PathLike[str]) -> Merged:
    """Read a leaf and its fragments.

    Raises:
        OptionError: A file is missing or malformed, a fragment has a `_base_`, or two fragments set
            one key.
    """
    leaf = load_file(path)
    inherits = BASE_KEY in leaf.data
    listed = leaf.data.pop(BASE_KEY, [])
    origin = f"{shown(leaf.path)}:{leaf.lines.get((BASE_KEY,), 1)}"
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise OptionError(
            Problem(origin, (BASE_KEY,), f"expected a list of files, received {show(listed)}")
        )
    if len(listed) > _MOST_FRAGMENTS:
        text = f"received {len(listed)} files; allowed: {_MOST_FRAGMENTS} at most"
        raise OptionError(Problem(origin, (BASE_KEY,), text))
    fragments = [Path(os.path.normpath(leaf.path.parent / name)) for name in listed]
    for name, fragment in zip(listed, fragments, strict=True):
        if not fragment.is_file():
            raise OptionError(
                Problem(origin, (BASE_KEY,), f"no such file: {name} (looked for {shown(fragment)})")
            )
    merged = Merged(leaf.path, {}, {}, fragments, inherits)
    for fragment in fragments:
        source = load_file(fragment)
        if BASE_KEY in source.data:
            line = source.lines[BASE_KEY,]
            text = f"a fragment cannot inherit; list its fragments in {shown(leaf.path)} instead"
            raise OptionError(Problem(f"{shown(fragment)}:{line}", (BASE_KEY,), text))
        merged.references |= find_references(source.data)
        _add_fragment(merged, source)
    merged.references |= find_references(leaf.data)
    _override(merged.options, leaf.data)
    _record(merged, leaf)
    return merged


def _add_fragment(merged: Merged, source: Source) -> None:
    conflicts = _join(merged.options, source.data, ())
    if conflicts:
        raise OptionError(
            [
                Problem(
                    f"{shown(source.path)}:{source.lines.get(key, 1)}",
                    key,
                    f"{merged.origin(key)} sets {join(key)} as well; fragments must not overlap",
                )
                for key in conflicts
            ]
        )
    _record(merged, source)


def _record(merged: Merged, source: Source) -> None:
    for key, line in source.lines.items():
        if key[0] != BASE_KEY:
            merged.origins[key] = f"{shown(source.path)}:{line}"


def _join(target: dict[str, Any], addition: dict[str, Any], above: KeyPath) -> list[KeyPath]:
    """Add keys to `target`; return those that it already had."""
    conflicts = []
    for name, value in addition.items():
        if name not in target:
            target[name] = value
        elif isinstance(target[name], dict) and isinstance(value, dict):
            conflicts += _join(target[name], value, (*above, name))
        else:
            conflicts.append((*above, name))
    return conflicts


def _override(target: dict[str, Any], leaf: dict[str, Any]) -> None:
    for name, value in leaf.items():
        if isinstance(target.get(name), dict) and isinstance(value, dict):
            _override(target[name], value)
        else:
            target[name] = value
