"""The facts of `datasets_prep/datasets.yml`, checked and typed.

The head of that file explains its keys. A data set has *parts* (`train`, `test`, ...), which are
complete or absent as a whole; a part has folders below the data root, each with a number of files
and the patterns of the archive members that belong there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from semanir_arch.tasks import find_task
from semanir_arch.utils.errors import InputError
from semanir_arch.utils.options.yaml_reading import load_file

_HEX_DIGITS = {"md5": 32, "sha256": 64}
_KEYS = {
    "set": {"tasks", "page", "licence", "serves", "limit_gib", "archives", "parts"},
    "archive": {"name", "bytes", "md5", "sha256", "note"},
    "folder": {"files", "size", "from"},
}
_OPTIONAL = {"md5", "sha256", "note", "size"}


@dataclass(frozen=True)
class Archive:
    """One file that the official page or a well-known script hands out.

    Args:
        name: Usual name of the file.
        size: Bytes; None where no source says.
        checksum: Algorithm (`md5`, `sha256`) and hexadecimal digest; None where no source says.
        note: Place to get it from.
    """

    name: str
    size: int | None
    checksum: tuple[str, str] | None
    note: str


@dataclass(frozen=True)
class Rule:
    """Rule for the members of an archive that belong into a folder, and for their names there.

    Args:
        pattern: Path of the member from its end; `*` stands for anything within one component.
        name: File name, with `{0}`, `{1}` for what the stars stood for; None keeps the name.
    """

    pattern: str
    name: str | None

    def file_name(self, member: str) -> str | None:
        """Name of the file for a member's path, None if the rule is for others."""
        match = _expression(self.pattern).search(member)
        if match is None:
            return None
        return member.rsplit("/", 1)[-1] if self.name is None else self.name.format(*match.groups())


@dataclass(frozen=True)
class Folder:
    """A folder of a prepared data set.

    Args:
        path: Path below the data root.
        files: Number of files it holds.
        size: Width and height in pixels where all images have the same, in either orientation.
        rules: The members that belong here.
    """

    path: str
    files: int
    size: tuple[int, int] | None
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class DataSet:
    """One entry of the catalogue.

    Args:
        name: Name on the command line.
        tasks: Names of the tasks that use it.
        page: Address of the official page.
        licence: Terms, as far as they are known.
        serves: The option keys it is for.
        limit: Most bytes that may be unpacked.
        archives: The files to fetch.
        parts: Folders by the name of their part.
    """

    name: str
    tasks: tuple[str, ...]
    page: str
    licence: str
    serves: str
    limit: int
    archives: tuple[Archive, ...]
    parts: Mapping[str, tuple[Folder, ...]]


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    return re.compile("(?:^|/)" + re.escape(pattern).replace(r"\*", "([^/]*)") + "$")


def load_catalogue(path: Path) -> dict[str, DataSet]:
    """Read and check a catalogue.

    Raises:
        ValueError: No such file, no YAML, or an entry lacks a key, has an unknown one, or a value
            of the wrong kind.
    """
    content = load_file(path).data
    return {name: _data_set(name, entry, f"{path}: {name}") for name, entry in content.items()}


def _data_set(name: str, entry: Any, where: str) -> DataSet:
    _check_keys(entry, _KEYS["set"], where)
    folders = {
        part: tuple(_folder(path, item, f"{where}:{path}") for path, item in content.items())
        for part, content in entry["parts"].items()
    }
    if not folders or not all(folders.values()):
        raise InputError(f"{where}: every data set has parts, and every part folders")
    if not re.match("https?://", str(entry["page"])):
        raise InputError(f"{where}:page must be an address, received {entry['page']!r}")
    return DataSet(
        name=name,
        tasks=_tasks(entry["tasks"], f"{where}:tasks"),
        page=entry["page"],
        licence=entry["licence"],
        serves=entry["serves"],
        limit=round(_positive(entry["limit_gib"], f"{where}:limit_gib") * 2**30),
        archives=tuple(_archive(item, f"{where}:archives") for item in entry["archives"]),
        parts=folders,
    )


def _tasks(entry: Any, where: str) -> tuple[str, ...]:
    found = [find_task(word) for word in entry] if isinstance(entry, list) else []
    if not found or None in found:
        raise InputError(f"{where} must be a list of names of tasks, received {entry!r}")
    return tuple(task.name for task in found if task)


def _archive(entry: Any, where: str) -> Archive:
    _check_keys(entry, _KEYS["archive"], where)
    where = f"{where}:{entry['name']}"
    checksum = None
    for algorithm, digits in _HEX_DIGITS.items():
        if algorithm in entry:
            if not re.fullmatch(f"[0-9a-f]{{{digits}}}", str(entry[algorithm])):
                raise InputError(f"{where}:{algorithm} must have {digits} hexadecimal digits")
            checksum = (algorithm, entry[algorithm])
    size = entry["bytes"]
    if size is not None:
        size = int(_positive(size, f"{where}:bytes"))
    return Archive(entry["name"], size, checksum, entry.get("note", ""))


def _folder(path: str, entry: Any, where: str) -> Folder:
    _check_keys(entry, _KEYS["folder"], where)
    if not re.fullmatch(r"(train|val|test)(/[A-Za-z0-9_-]+)+", path):
        raise InputError(f"{where}: must lie below train/, val/ or test/")
    size = entry.get("size")
    if size is not None and (not isinstance(size, list) or len(size) != 2):
        raise InputError(f"{where}:size must be [width, height], received {size!r}")
    rules = [_rule(item, where) for item in entry["from"]]
    files = int(_positive(entry["files"], f"{where}:files"))
    return Folder(path, files, None if size is None else (size[0], size[1]), tuple(rules))


def _rule(entry: Any, where: str) -> Rule:
    if isinstance(entry, str):
        return Rule(entry, None)
    if isinstance(entry, dict) and len(entry) == 1:
        ((pattern, name),) = entry.items()
        try:
            name.format(*"*" * pattern.count("*"))
        except (IndexError, KeyError, ValueError) as error:
            raise InputError(f"{where}: {name!r} does not fit the stars of {pattern!r}") from error
        return Rule(pattern, name)
    raise InputError(f"{where}:from takes patterns and {{pattern: name}}, received {entry!r}")


def _check_keys(entry: Any, known: set[str], where: str) -> None:
    if not isinstance(entry, dict):
        raise InputError(f"{where}: must be a mapping, received {entry!r}")
    unknown, missing = set(entry) - known, known - set(entry) - _OPTIONAL
    if unknown or missing:
        parts = [f"unknown {sorted(unknown)}"] * bool(unknown)
        parts += [f"missing {sorted(missing)}"] * bool(missing)
        raise InputError(f"{where}: {', '.join(parts)}")


def _positive(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
        raise InputError(f"{where} must be a number above 0, received {value!r}")
    return value
