"""Merge a leaf option file with the fragments its `_base_` lists.

The depth is two: a leaf names fragments, fragments name nothing. Fragments must not set the same
key, so the order of the list has no meaning; the leaf overrides. Mappings merge, everything else
replaces. What a test reads of a leaf is chosen by `roles.py`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from semanir_arch.utils.options.former import find_former, read_former
from semanir_arch.utils.options.problems import KeyPath, OptionError, Problem, join, shown
from semanir_arch.utils.options.roles import (
    BASE_KEY,
    ROLE,
    TEST_KEY,
    Role,
    choose_fragments,
    leave_out_training,
    leave_out_variables,
    override,
    split_test,
)
from semanir_arch.utils.options.yaml_reading import Source, find_references, load_file
from semanir_arch.utils.shipped import renamed
from semanir_arch.utils.values import show

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
        """Place where `key` was written or, if it was not, the nearest key above it."""
        for length in range(len(key), 0, -1):
            if key[:length] in self.origins:
                return self.origins[key[:length]]
        return shown(self.path)


def merge_file(path: str | os.PathLike[str], role: Role = "train") -> Merged:
    """Read a leaf and its fragments.

    Args:
        path: A leaf, or a file without `_base_`.
        role: Role that the file is read for.

    Raises:
        OptionError: A file is missing or malformed, a fragment has a `_base_`, two fragments set
            one key, or a block `test` holds what only a training reads.
    """
    leaf = load_file(renamed(path))
    if BASE_KEY not in leaf.data:
        merged = Merged(leaf.path, leaf.data, {}, [], references=find_references(leaf.data))
        _record(merged, leaf)
        return merged
    own = split_test(leaf)
    fragments = _read_fragments(leaf, role)
    instead = _read_fragments(own, role, (TEST_KEY,)) if own else []
    sources = {
        fragment: _load_fragment(fragment, leaf, role) for fragment in [*fragments, *instead]
    }
    if role == "train":
        return _merge([sources[fragment] for fragment in fragments], [leaf])
    written = [*sources.values(), leaf]
    if own is not None or any("train" in source.data for source in written):
        leaf = leave_out_training(leaf, is_leaf=True)
    sources = {path: leave_out_training(source) for path, source in sources.items()}
    chosen = [sources[fragment] for fragment in choose_fragments(fragments, instead)]
    leaves = [leaf, *([own] if own else [])]
    merged = _merge(chosen, leaves)
    written += [own] if own else []
    merged.references = leave_out_variables(merged.options, written, [*chosen, *leaves])
    return merged


def _merge(fragments: list[Source], leaves: list[Source]) -> Merged:
    """Fragments, which must not overlap, and what overrides them."""
    merged = Merged(leaves[0].path, {}, {}, [source.path for source in fragments], True)
    for source in fragments:
        _add_fragment(merged, source)
    for source in leaves:
        override(merged.options, source.data)
        _record(merged, source)
    for source in [*fragments, *leaves]:
        merged.references |= find_references(source.data)
    return merged


def _read_fragments(source: Source, role: Role, above: KeyPath = ()) -> list[Path]:
    """The files of `_base_`, which is taken out of the data."""
    listed = source.data.pop(BASE_KEY, [])
    key = (*above, BASE_KEY)
    origin = f"{shown(source.path)}:{source.lines.get((BASE_KEY,), 1)}"
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise OptionError(
            Problem(origin, key, f"expected a list of files, received {show(listed)}")
        )
    if len(listed) > _MOST_FRAGMENTS:
        text = f"received {len(listed)} files; allowed: {_MOST_FRAGMENTS} at most"
        raise OptionError(Problem(origin, key, text))
    fragments = []
    for name in listed:
        path = Path(os.path.normpath(source.path.parent / name.replace(ROLE, role)))
        fragment = renamed(path)
        if not fragment.is_file() and find_former(fragment) is None:
            text = f"no such file: {name} (looked for {shown(path)})"
            raise OptionError(Problem(origin, key, text))
        fragments.append(fragment)
    return fragments


def _load_fragment(path: Path, leaf: Source, role: Role) -> Source:
    """A fragment as a role reads it: a test with its block `test`, a training without."""
    former = None if path.is_file() else find_former(path)
    if former is not None:
        return read_former(path, former)
    source = load_file(path)
    own = split_test(source)
    for part, above in ((source, ()), (own, (TEST_KEY,))):
        if part is not None and BASE_KEY in part.data:
            text = f"a fragment cannot inherit; list its fragments in {shown(leaf.path)} instead"
            line = part.lines[BASE_KEY,]
            raise OptionError(Problem(f"{shown(path)}:{line}", (*above, BASE_KEY), text))
    if role == "test" and own is not None:
        override(source.data, own.data)
        source.lines.update(own.lines)
    return source


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
