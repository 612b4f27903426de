"""From an option file and overrides to the complete options of a run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semanir_arch.utils.options.inheritance import Merged, merge_file
from semanir_arch.utils.options.overrides import apply_overrides
from semanir_arch.utils.options.problems import KeyPath
from semanir_arch.utils.options.roles import Role
from semanir_arch.utils.options.substitution import substitute

_NO_NAMES = ("/", "\\", ".", "..", "~")
"""Parts of a path that name no folder."""


@dataclass(frozen=True)
class Resolved:
    """Complete options.

    Args:
        path: The file they come from.
        options: Options as BasicSR sees them; no `_base_`, no `vars`, no references.
        merged: Origin of each value.
        inherits: Whether the file has a `_base_`, perhaps an empty one; one without is a plain
            BasicSR file, used as it is.
        overridden: Keys set on the command line.
    """

    path: Path
    options: dict[str, Any]
    merged: Merged
    inherits: bool
    overridden: list[KeyPath]


def resolve(
    path: str | os.PathLike[str], overrides: Iterable[str] = (), role: Role = "train"
) -> Resolved:
    """Merge, override, substitute. The result is not validated yet.

    Args:
        path: A leaf option file, or a plain BasicSR option file.
        overrides: `key:key=value` entries of `--force_yml`.
        role: Whether a training reads it, or a test.

    Raises:
        OptionError: See the four steps.
    """
    merged = merge_file(path, role)
    inherits = merged.inherits
    overridden = apply_overrides(merged, overrides)
    if inherits:
        # First, because a name heads BasicSR's logs and files; other values may refer to it.
        merged.options = {"name": derive_name(merged.path), **merged.options}
        substitute(merged)
    _leave_out_null_datasets(merged.options)
    if inherits:
        _name_datasets(merged.options)
    return Resolved(merged.path, merged.options, merged, inherits, overridden)


def _leave_out_null_datasets(options: dict[str, Any]) -> None:
    """Drop datasets that a leaf or the command line set to null."""
    datasets = options.get("datasets")
    if isinstance(datasets, dict):
        options["datasets"] = {name: block for name, block in datasets.items() if block is not None}


def _name_datasets(options: dict[str, Any]) -> None:
    """Name data sets that have no name after their folder."""
    blocks = options.get("datasets")
    if not isinstance(blocks, dict):
        return
    for key, block in blocks.items():
        if isinstance(block, dict) and "name" not in block:
            name = derive_set_name(block)
            if name is not None:
                # first, as people write it
                blocks[key] = {"name": name, **block}


def derive_set_name(block: Mapping[str, Any]) -> str | None:
    """Name of a data set: its folder below `datasets`, joined by underscores.

    `datasets/photos/test` is `photos_test`. Of a folder elsewhere the last two parts count, of
    pairs the folder that holds both, and a set of several folders is named after the first.

    Args:
        block: Options of the data set.

    Returns:
        Name; None if the options name no folder.
    """
    roots = [value for key, value in block.items() if key.startswith("dataroot")]
    lists = [root if isinstance(root, list) else [root] for root in roots]
    first = [Path(root[0]) for root in lists if root and isinstance(root[0], str)]
    if not first:
        return None
    together = Path(os.path.commonpath(first)) if len({f.anchor for f in first}) == 1 else first[0]
    parts = [part for part in together.parts if part not in _NO_NAMES]
    if "datasets" in parts[:-1]:
        parts = parts[len(parts) - parts[::-1].index("datasets") :]
    else:
        parts = parts[-2:]
    more = max(map(len, lists)) - 1
    if not parts:
        return None
    return "_".join([*parts, *([f"and_{more}_more"] if more else [])]).removesuffix(".lmdb")


def derive_name(path: Path) -> str:
    """Name of a run: the path of its leaf below `options`, joined by underscores.

    `options/denoising/SemanIR_color.yml` is `denoising_SemanIR_color`; so are files of that name
    below `options/train` and `options/test`, where leaves lay formerly. A file elsewhere is called
    by its own name.
    """
    resolved = path.resolve().with_suffix("")
    parts = resolved.parts
    for index in range(len(parts) - 2, 0, -1):
        if parts[index - 1] == "options" and parts[index] in ("train", "test"):
            return "_".join(parts[index + 1 :])
    for folder in resolved.parents:
        if folder.name == "options" and (folder / "_base_").is_dir():
            return "_".join(resolved.relative_to(folder).parts)
    return parts[-1]
