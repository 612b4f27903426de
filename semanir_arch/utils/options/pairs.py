"""Whether folders that BasicSR's `PairedImageDataset` pairs belong together.

BasicSR compares them when it builds the data set, and ends with a traceback. Its rules are repeated
here: hidden files do not count, folders below neither, and a name has one suffix.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from semanir_arch.utils.options.problems import KeyPath

__all__ = ["pair_problems"]

_SHOWN = 5
_INPUTS, _TARGETS, _LIST, _TEMPLATE = (
    "dataroot_lq",
    "dataroot_gt",
    "meta_info_file",
    "filename_tmpl",
)


def pair_problems(options: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """Find what is wrong with the pairs of data sets of this class.

    Args:
        options: Complete ones; data sets whose folders are missing are passed over.

    Yields:
        The key, and a message, of each data set that cannot be paired.
    """
    for name, block in (options.get("datasets") or {}).items():
        if not isinstance(block, Mapping) or block.get("type") != "PairedImageDataset":
            continue
        roots = [block.get(key) for key in (_INPUTS, _TARGETS)]
        if not all(isinstance(root, str) and Path(root).expanduser().is_dir() for root in roots):
            continue
        inputs, targets = (Path(str(root)).expanduser() for root in roots)
        try:
            key, problem = _problem(block, inputs, targets)
        except (OSError, UnicodeDecodeError) as error:
            key, problem = _INPUTS, str(error)
        if problem:
            yield ("datasets", name, key), problem


def _problem(block: Mapping[str, Any], inputs: Path, targets: Path) -> tuple[str, str]:
    backend = block.get("io_backend")
    if isinstance(backend, Mapping) and backend.get("type") == "lmdb":
        return _INPUTS, _of_databases(inputs, targets)
    template = block.get(_TEMPLATE) or "{}"
    if block.get(_LIST) is not None:
        return _LIST, _of_list(Path(block[_LIST]).expanduser(), inputs, targets, template)
    return _INPUTS, _of_folders(inputs, targets, template)


def _of_folders(inputs: Path, targets: Path, template: str) -> str:
    found, wanted = _files(inputs), {_input_name(name, template): name for name in _files(targets)}
    if wanted.keys() == found:
        return ""
    missing = sorted(f"{wanted[name]} (looked for {name})" for name in wanted.keys() - found)
    lonely = sorted(found - wanted.keys())
    parts = [
        f"{len(found)} files in {str(inputs)!r} and {len(wanted)} in {str(targets)!r} do not pair"
    ]
    if missing:
        parts.append(f"{len(missing)} targets without an input: {_some(missing)}")
    if lonely:
        parts.append(f"{len(lonely)} inputs without a target: {_some(lonely)}")
    return "; ".join(parts)


def _of_list(path: Path, inputs: Path, targets: Path, template: str) -> str:
    if not path.is_file():
        return ""
    names = [line.strip().split(" ")[0] for line in path.read_text("utf-8").splitlines()]
    missing = []
    for name in names:
        both = targets / name, inputs / _input_name(name, template)
        missing += [str(file) for file in both if not file.is_file()]
    if not missing:
        return ""
    return f"{path} names {len(missing)} files that are not there: {_some(missing)}"


def _of_databases(inputs: Path, targets: Path) -> str:
    for root in (inputs, targets):
        if root.suffix != ".lmdb":
            return f"{str(root)!r} is not an LMDB (io_backend: lmdb); its name must end in .lmdb"
        if not (root / "meta_info.txt").is_file():
            return f"{str(root)!r} lacks meta_info.txt; it is unfinished, or no LMDB of images"
    found, wanted = (
        {line.split(".")[0] for line in (root / "meta_info.txt").read_text("utf-8").splitlines()}
        for root in (inputs, targets)
    )
    if found == wanted:
        return ""
    differing = sorted(found ^ wanted)
    return (
        f"{len(differing)} names are in only one of {str(inputs)!r} and {str(targets)!r}: "
        f"{_some(differing)}"
    )


def _input_name(target: str, template: str) -> str:
    stem, suffix = os.path.splitext(os.path.basename(target))  # noqa: PTH119, PTH122
    return f"{template.format(stem)}{suffix}"


def _files(folder: Path) -> set[str]:
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries if entry.name[0] != "." and entry.is_file()}


def _some(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
