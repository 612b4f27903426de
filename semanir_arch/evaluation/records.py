"""Scores that outlive an interruption: a line of JSON per image, on disk before the next begins."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semanir_arch.metrics.scores import Row

__all__ = ["Record", "RecordFile", "read_records"]


_CHECKSUM = "sha256"
"""Key of a line's checksum of all the rest."""


@dataclass(frozen=True)
class Record:
    """One measured image.

    Args:
        key: Cache key, made from everything that affects the scores: weights, options, data.
        label: Name of what was measured, in words: the data set, and the swept options.
        index: Place of the image in its set.
        row: Scores of the image.
        files: Images that were written with it, below the folder of the records.
    """

    key: str
    label: str
    index: int
    row: Row
    files: tuple[str, ...] = ()


class RecordFile:
    """Appends records; what `add` has returned from survives a kill and a power cut.

    Args:
        folder: Folder of the file, made at the first record.
        rank: Number of this process; each has a file of its own.
    """

    def __init__(self, folder: Path, rank: int = 0) -> None:
        self._path = folder / ("records.jsonl" if rank == 0 else f"records_{rank}.jsonl")
        self._descriptor: int | None = None

    def add(self, record: Record) -> None:
        """Write one record.

        Raises:
            OSError: The file cannot be written, for example because the disk is full.
        """
        try:
            if self._descriptor is None:
                self._descriptor = _open_at_new_line(self._path)
            line = _protect(json.dumps(_to_plain(record))) + "\n"
            left = line.encode("utf-8")
            while left:
                left = left[os.write(self._descriptor, left) :]
            os.fsync(self._descriptor)
        except OSError as error:
            error.filename = error.filename or str(self._path)
            raise

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def read_records(folder: Path) -> list[Record]:
    """All records of a folder, in the order of the files.

    A line that a kill cut short is left out, and one that has changed since: its image is measured
    again.

    Args:
        folder: Folder of the file; need not exist.
    """
    return [record for path in sorted(folder.glob("records*.jsonl")) for record in _read(path)]


def _read(path: Path) -> Iterator[Record]:
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
            del entry[_CHECKSUM]
            if line != _protect(json.dumps(entry)):
                continue
            yield Record(
                key=entry["key"],
                label=entry["label"],
                index=entry["index"],
                row=Row(
                    image=entry["image"],
                    input=_to_floats(entry["input"]),
                    output=_to_floats(entry["output"]),
                    seconds=entry["seconds"],
                    memory=entry["memory"],
                    tile=entry["tile"],
                ),
                files=tuple(entry["files"]),
            )
        except (ValueError, KeyError, TypeError):
            continue


def _protect(line: str) -> str:
    """Add the checksum of a JSON object as its last entry."""
    digest = hashlib.sha256(line.encode("utf-8")).hexdigest()
    return f'{line[:-1]}, "{_CHECKSUM}": "{digest}"}}'


def _to_plain(record: Record) -> dict[str, Any]:
    row = record.row
    return {
        "key": record.key,
        "label": record.label,
        "index": record.index,
        "image": row.image,
        # as texts, which keep every digit and know infinity; JSON does not
        "input": {name: repr(value) for name, value in row.input.items()},
        "output": {name: repr(value) for name, value in row.output.items()},
        "seconds": row.seconds,
        "memory": row.memory,
        "tile": row.tile,
        "files": list(record.files),
    }


def _to_floats(scores: Mapping[str, str]) -> dict[str, float]:
    return {name: float(value) for name, value in scores.items()}


def _open_at_new_line(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    size = os.fstat(descriptor).st_size
    if size:
        os.lseek(descriptor, size - 1, os.SEEK_SET)
        if os.read(descriptor, 1) != b"\n":
            os.write(descriptor, b"\n")
    return descriptor
