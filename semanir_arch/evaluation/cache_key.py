"""What decides about scores: two measurements with one key are the same measurement."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

import semanir_arch
from semanir_arch.utils import devices

__all__ = ["make_cache_key"]

# Where a test runs and what it writes, and blocks that are looked at one by one; everything else is
# taken to change scores.
_IRRELEVANT = {
    *("name", "num_gpu", "datasets", "path", "train", "val", "logger", "dist_params"),
    "other_arithmetic",
}
_PARTS = ("archs", "data", "metrics", "models", "modules", "ops", "utils")
_IRRELEVANT_PATHS = {"resume_state", "ignore_resume_networks"}
_IRRELEVANT_VAL = {"save_img", "suffix", "pbar", "val_freq"}


def make_cache_key(
    options: Mapping[str, Any],
    block: Mapping[str, Any],
    weights: str | None,
    backends: Sequence[str] = (),
) -> str:
    """Digest of everything that decides about the scores of one data set.

    Data are taken to be the same as long as names, sizes and times of the files are.

    Args:
        options: Complete options of the test.
        block: Options of the data set.
        weights: Digest of the weights' file; None for random weights.
        backends: Backends of the attention; see `arithmetic.Arithmetic`.
    """
    path, val = (dict(options.get(name) or {}) for name in ("path", "val"))
    content = {
        "weights": weights,
        "options": {k: v for k, v in options.items() if k not in _IRRELEVANT},
        "val": {k: v for k, v in val.items() if k not in _IRRELEVANT_VAL},
        "path": {
            k: v
            for k, v in path.items()
            if k not in _IRRELEVANT_PATHS and not k.startswith("pretrain_network")
        },
        "dataset": block,
        "files": list(_files(block)),
        "backends": list(backends),
        "code": [_digest_code(), torch.__version__],
        "device": "cpu" if options.get("num_gpu") == 0 else _device(),
    }
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:24]


def _files(block: Mapping[str, Any]) -> Iterator[tuple[str, int, int]]:
    """Name, bytes and time of all files that a data set may read."""
    for option, value in sorted(block.items()):
        if option.startswith(("dataroot", "meta_info")):
            for root in value if isinstance(value, list) else [value]:
                if isinstance(root, str):
                    yield from _below(Path(root).expanduser())


def _below(root: Path) -> Iterator[tuple[str, int, int]]:
    if root.is_file():
        yield _describe(root, root.parent)
    for folder, folders, names in os.walk(root):
        folders.sort()
        # opening an LMDB touches its lock
        for name in sorted(set(names) - {"lock.mdb"}):
            yield _describe(Path(folder) / name, root)


def _describe(path: Path, root: Path) -> tuple[str, int, int]:
    facts = path.stat()
    return path.relative_to(root).as_posix(), facts.st_size, facts.st_mtime_ns


@functools.cache
def _digest_code() -> str:
    """Digest of the parts of this package that compute scores."""
    checksum, package = hashlib.sha256(), Path(semanir_arch.__file__).parent
    for part in _PARTS:
        for path in sorted((package / part).rglob("*.py")):
            checksum.update(path.relative_to(package).as_posix().encode())
            checksum.update(path.read_bytes())
    return checksum.hexdigest()


def _device() -> str:
    kind = devices.accelerator()
    return "cpu" if kind is None else devices.name_of(kind)
