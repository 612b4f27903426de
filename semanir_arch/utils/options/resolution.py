"""From an option file and overrides to the complete options of a run."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semanir_arch.utils.options.inheritance import Merged, merge_file
from semanir_arch.utils.options.overrides import apply_overrides
from semanir_arch.utils.options.problems import KeyPath
from semanir_arch.utils.options.substitution import substitute


@dataclass(frozen=True)
class Resolved:
    """Complete options.

    Args:
        path: The file they come from.
        options: What BasicSR sees; no `_base_`, no `vars`, no references.
        merged: Where each value was written.
        inherits: Whether the file has a `_base_`, perhaps an empty one; one without is a plain
            BasicSR file, used as it is.
        overridden: Keys set on the command line.
    """

    path: Path
    options: dict[str, Any]
    merged: Merged
    inherits: bool
    overridden: list[KeyPath]


def resolve(path: str | os.PathLike[str], overrides: Iterable[str] = ()) -> Resolved:
    """Merge, override, substitute. The result is not validated yet.

    Args:
        path: A leaf option file, or a plain BasicSR option file.
        overrides: `key:key=value` entries of `--force_yml`.

    Raises:
        OptionError: See the four steps.
    """
    merged = merge_file(path)
    inherits = merged.inherits
    overridden = apply_overrides(merged, overrides)
    if inherits:
        # First, because a name heads BasicSR's logs and files; other values may refer to it.
        merged.options = {"name": derive_name(merged.path), **merged.options}
        substitute(merged)
    _leave_out_null_datasets(merged.options)
    return Resolved(merged.path, merged.options, merged, inherits, overridden)


def _leave_out_null_datasets(options: dict[str, Any]) -> None:
    """Drop datasets that a leaf or the command line set to null."""
    datasets = options.get("datasets")
    if isinstance(datasets, dict):
        options["datasets"] = {name: block for name, block in datasets.items() if block is not None}


def derive_name(path: Path) -> str:
    """Name of a run: the path below `options/train` or `options/test`, joined by underscores.

    `options/train/denoising/SemanIR_color.yml` and `options/test/denoising/SemanIR_color.yml` are
    both `denoising_SemanIR_color`, so that a test finds what its training wrote.
    """
    parts = path.resolve().with_suffix("").parts
    for index in range(len(parts) - 2, 0, -1):
        if parts[index - 1] == "options" and parts[index] in ("train", "test"):
            return "_".join(parts[index + 1 :])
    return parts[-1]
