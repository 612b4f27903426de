"""Whether the files and folders that options name are there, before anything is built."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from semanir_arch.utils.options.pairs import pair_problems
from semanir_arch.utils.options.problems import KeyPath, OptionError, Problem, hint
from semanir_arch.utils.options.resolution import Resolved
from semanir_arch.utils.spelling import hint_at_path


def check_files(resolved: Resolved) -> None:
    """Look for data folders, lists of images and weights.

    Raises:
        OptionError: Something is missing or empty, or folders of BasicSR's pairs do not belong
            together; lists everything that is.
    """
    found = [
        *_data_problems(resolved.options),
        *pair_problems(resolved.options),
        *_weight_problems(resolved.options),
    ]
    problems = [Problem(resolved.merged.origin(key), key, problem) for key, problem in found]
    if problems:
        raise OptionError(problems)


def leave_out_missing(resolved: Resolved) -> dict[str, str]:
    """Drop the data sets whose folders or files are missing or empty.

    Args:
        resolved: Resolved options, changed in place.

    Returns:
        Fault of each set that was dropped, by its name.

    Raises:
        OptionError: No set is left.
    """
    problems = list(_data_problems(resolved.options))
    missing = {key[1]: text for key, text in reversed(problems)}
    kept = {k: v for k, v in resolved.options["datasets"].items() if k not in missing}
    if missing and not kept:
        text = "none of the data sets is there"
        raise OptionError(
            [Problem("", ("datasets",), text)]
            + [Problem(resolved.merged.origin(key), key, text) for key, text in problems]
        )
    names = {key: block.get("name", key) for key, block in resolved.options["datasets"].items()}
    resolved.options["datasets"] = kept
    return {names[key]: missing[key].partition(" (")[0] for key in names if key in missing}


def _data_problems(options: dict[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    for name, dataset in (options.get("datasets") or {}).items():
        if not isinstance(dataset, dict):
            continue
        for option, value in dataset.items():
            if not option.startswith(("dataroot", "meta_info")):
                continue
            for root in value if isinstance(value, list) else [value]:
                problem = _explain_root(root) if isinstance(root, str) else None
                if problem:
                    yield ("datasets", name, option), problem


def _weight_problems(options: dict[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    for option, value in (options.get("path") or {}).items():
        if option.startswith(("pretrain_network", "resume_state")) and isinstance(value, str):
            path = Path(value).expanduser()
            if not path.is_file():
                others = (
                    [other.name for other in path.parent.glob(f"*{path.suffix}")]
                    if path.parent.is_dir()
                    else []
                )
                advice = hint(path.name, others) if others else "a training writes it; has it run?"
                yield ("path", option), f"no such file: {value!r}; {advice}"


def _explain_root(root: str) -> str | None:
    path = Path(root).expanduser()
    if not path.exists():
        where = f"paths are relative to {Path.cwd()}"
        return f"no such folder: {root!r} ({where}){hint_at_path(root)}"
    if path.is_dir() and not any(files for _, _, files in os.walk(path)):
        return f"the folder {root!r} is empty"
    return None
