"""What of a leaf holds for a training, and what for a test.

A leaf describes both. A training is the leaf without its block `test`. A test is the leaf without
what only a training reads, changed by the block `test`; fragments that this block lists replace
those of the leaf from the same folder, so that a test on other data names other data alone.
A fragment may have a block `test` too, which changes that fragment alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from semanir_arch.utils.options.problems import KeyPath, OptionError, Problem, shown
from semanir_arch.utils.options.yaml_reading import Source, find_references
from semanir_arch.utils.values import show

__all__ = [
    "BASE_KEY",
    "ROLE",
    "TEST_KEY",
    "TRAINING_ROOT",
    "Role",
    "choose_fragments",
    "leave_out_training",
    "leave_out_variables",
    "only_training",
    "override",
    "split_test",
]

Role = Literal["train", "test"]
"""Purpose that an option file is read for."""

BASE_KEY = "_base_"
"""The fragments of a leaf, or of its block `test`."""

TEST_KEY = "test"
"""The block of a leaf that only tests read."""

ROLE = "${role}"
"""Variable that stands for the role in `_base_`."""

TRAINING_ROOT = ("train", "logger", "precision")
"""Sections and values that only a training reads, beside the networks it trains with."""


def only_training(options: dict[str, Any]) -> list[KeyPath]:
    """Keys that only a training reads, as far as options have them."""
    keys: list[KeyPath] = [
        (key,)
        for key in options
        if key in TRAINING_ROOT or (key.startswith("network_") and key != "network_g")
    ]
    if isinstance(options.get("datasets"), dict):
        keys += [("datasets", n) for n in options["datasets"] if n.partition("_")[0] == "train"]
    if isinstance(options.get("val"), dict) and "val_freq" in options["val"]:
        keys.append(("val", "val_freq"))
    return keys


def leave_out_training(source: Source, *, is_leaf: bool = False) -> Source:
    """A file without what only a training reads.

    Args:
        source: A leaf or a fragment.
        is_leaf: Whether it is the leaf, whose `path` says where its training starts: a test starts
            from what that training wrote, or from what its own block says.
    """
    dropped = only_training(source.data) + ([("path",)] if is_leaf else [])
    data = {
        name: dict(block) if isinstance(block, dict) else block
        for name, block in source.data.items()
    }
    for key in dropped:
        inner = data
        for part in key[:-1]:
            inner = inner[part]
        inner.pop(key[-1], None)
    # an emptied section must not hide, as a leaf's own, the one of a fragment
    data = {name: value for name, value in data.items() if value != {} or source.data[name] == {}}
    lines = {
        key: line
        for key, line in source.lines.items()
        if not any(key[: len(other)] == other for other in dropped)
    }
    return Source(source.path, data, lines)


def override(target: dict[str, Any], changes: Mapping[str, Any]) -> None:
    """Change options in place: mappings merge, everything else replaces."""
    for name, value in changes.items():
        if isinstance(target.get(name), dict) and isinstance(value, dict):
            override(target[name], value)
        else:
            target[name] = value


def choose_fragments(listed: Iterable[Path], instead: Iterable[Path]) -> list[Path]:
    """Fragments of a test: those of the leaf, and where folders are the same, those of its test.

    `_base_/benchmark`, which is not there any more, counts as `_base_/testsets`.
    """
    instead = list(instead)
    replaced = {_folder(fragment) for fragment in instead}
    return [*(fragment for fragment in listed if _folder(fragment) not in replaced), *instead]


def _folder(fragment: Path) -> Path:
    folder = fragment.parent
    former = folder.name == "benchmark" and folder.parent.name == BASE_KEY
    return folder.with_name("testsets") if former else folder


def leave_out_variables(
    options: dict[str, Any], written: Iterable[Source], left: Iterable[Source]
) -> set[str]:
    """Drop the variables that only what a test leaves out refers to.

    Args:
        options: Merged options of a test, changed in place.
        written: All files, with what was left out.
        left: Options that are left.

    Returns:
        Names that the remaining options refer to, if only by way of other variables.
    """
    variables = options.get("vars")
    known = variables if isinstance(variables, dict) else {}
    referred = set[str]()
    for source in left:
        referred |= find_references({k: v for k, v in source.data.items() if k != "vars"})
    waiting = list(referred)
    while waiting:
        more = find_references(known.get(waiting.pop())) - referred
        referred |= more
        waiting += more
    gone = set().union(*(find_references(source.data) for source in written)) - referred
    if known:
        options["vars"] = {name: value for name, value in known.items() if name not in gone}
    return referred


def split_test(leaf: Source) -> Source | None:
    """Take the block `test` out of a leaf.

    Args:
        leaf: Leaf, changed in place.

    Returns:
        The block as a file of its own, or None.

    Raises:
        OptionError: It is no block, or holds what only a training reads.
    """
    if TEST_KEY not in leaf.data:
        return None
    data = leaf.data.pop(TEST_KEY)
    lines = {key[1:]: line for key, line in leaf.lines.items() if key[0] == TEST_KEY and key[1:]}
    for key in [key for key in leaf.lines if key[0] == TEST_KEY and key[1:]]:
        del leaf.lines[key]
    place = f"{shown(leaf.path)}:"
    line = leaf.lines.pop((TEST_KEY,))
    if not isinstance(data, dict):
        text = f"expected what only tests read, as keys and values; received {show(data)}"
        raise OptionError(Problem(f"{place}{line}", (TEST_KEY,), text))
    wrong = [*only_training(data), *([(TEST_KEY,)] if TEST_KEY in data else [])]
    if wrong:
        text = "only a training reads this; write it outside the block"
        raise OptionError(
            [Problem(f"{place}{lines.get(key, line)}", (TEST_KEY, *key), text) for key in wrong]
        )
    return Source(leaf.path, data, lines)
