"""The record in a folder of patches, by which an interrupted extraction continues.

`manifest.json` holds the parameters, the groups that are done, and a checksum of itself. While the
work goes on, a line is added to `manifest.journal` for every group, with a checksum too, so that a
killed run has lost only what it was cutting. What a damaged line was about is cut again.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from semanir_arch.data.files.image_io import replace_file
from semanir_arch.data.preparation.patches import Record
from semanir_arch.utils.errors import InputError
from semanir_arch.utils.protected_json import protect, read_protected

MANIFEST = "manifest.json"
"""File name of the record."""

JOURNAL = "manifest.journal"
"""File name of the lines that were added since the record was written."""

_DATABASE = {"data.mdb", "lock.mdb"}


class Recorded(Protocol):
    """Work that is recorded when it is done, such as a group of images to be cut."""

    @property
    def name(self) -> str:
        """Name in the record."""

    @property
    def source(self) -> Path:
        """Name in messages."""

    def size_on_disk(self) -> int:
        """Bytes of what it is made of."""

    def names(self, record: Record) -> list[tuple[Path, str]]:
        """Output and name without suffix of all results."""


class PatchManifest:
    """Record of a folder of results: the parameters, and everything that is done.

    `is_new` tells whether there was no record before, and `note` what the user should know about
    one that was.

    Args:
        folder: The folder, or `*.lmdb`; it need not exist.
        parameters: Everything that decides which results there are, as plain JSON values.
        may_hold_others: Whether files without record are allowed; they may be replaced.

    Raises:
        ValueError: The folder holds something else, or results of other parameters.
    """

    def __init__(
        self, folder: Path, parameters: dict[str, Any], *, may_hold_others: bool = False
    ) -> None:
        self.folder = folder
        self.parameters = parameters
        self.images: dict[str, Record] = {}
        self.note = ""
        self._path = folder / MANIFEST
        self._journal = folder / JOURNAL
        self.is_new = not self._path.is_file()
        if not self.is_new:
            self._read()
        elif is_used(folder) and not may_hold_others:
            raise InputError(f"{folder}: not empty, and not a folder of patches")

    def is_done(self, work: Recorded, has: Callable[[Path, str], bool]) -> bool:
        """Whether all results are there.

        Args:
            work: Group of images, or the like.
            has: Whether an output has a result.

        Raises:
            ValueError: An image changed since it was done.
        """
        record = self.images.get(work.name)
        if record is None:
            return False
        if record["bytes"] != work.size_on_disk():
            raise InputError(f"{work.source} changed since it was processed; {self._remedy()}")
        return all(has(output, name) for output, name in work.names(record))

    def count(self, key: str) -> int:
        """Sum of a number over all groups."""
        return sum(record[key] for record in self.images.values())

    def add(self, name: str, record: Record) -> None:
        """Note that something is done."""
        self.images[name] = record
        with self._journal.open("a", encoding="utf-8") as file:
            file.write(_line(name, record) + "\n")

    def write(self) -> None:
        """Save everything in one file; the folder is made if needed."""
        content = {"parameters": self.parameters, "images": self.images}
        replace_file(self._path, protect(json.dumps(content, indent=1)).encode())
        self._journal.unlink(missing_ok=True)

    def _read(self) -> None:
        try:
            content, is_protected = read_protected(self._path.read_bytes())
            earlier, self.images = content["parameters"], content["images"]
            self.images.update(self._read_journal())
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{self._path}: damaged; {self._remedy()}") from error
        if not is_protected:
            self.note = (
                f"{self._path}: written by an earlier version, without a checksum; earlier damage "
                "to it was not noticed"
            )
        if earlier != self.parameters:
            changes = ", ".join(
                f"{key} {earlier.get(key)} instead of {value}"
                for key, value in self.parameters.items()
                if earlier.get(key) != value
            )
            raise InputError(
                f"{self.folder}: holds results of other parameters ({changes}); {self._remedy()}"
            )

    def _read_journal(self) -> dict[str, Record]:
        if not self._journal.is_file():
            return {}
        # what comes after the last line break was being written when the run was killed
        lines = self._journal.read_bytes().split(b"\n")[:-1]
        return dict(found for found in map(_read_line, lines) if found is not None)

    def _remedy(self) -> str:
        return f"delete {self.folder} or choose another folder"


def _line(name: str, record: Record) -> str:
    content = json.dumps([name, dict(record)])
    return f'{content[:-1]}, "{zlib.crc32(content.encode()):08x}"]'


def _read_line(line: bytes) -> tuple[str, Record] | None:
    """Name and record; None of a line that was changed, or has no checksum."""
    try:
        text = line.decode("utf-8")
        name, record, _ = json.loads(text)
        return (name, record) if text == _line(name, record) else None
    except (ValueError, TypeError):
        return None


def is_used(folder: Path) -> bool:
    """Whether a folder holds anything but hidden files and an LMDB that was begun."""
    if not folder.is_dir():
        return False
    return any(path.name[0] != "." and path.name not in _DATABASE for path in folder.iterdir())
