"""From archives to the folders that option files name, complete or not at all.

Files gather in `ROOT/.prepare/NAME/` and move to their folders when the last file of their part has
come. So a folder that exists is complete; after an interruption, the same command continues.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from semanir_arch.data.files.bounds import read_size
from semanir_arch.data.preparation.archives import Member, digest, members
from semanir_arch.data.preparation.dataset_facts import Archive, DataSet, Folder
from semanir_arch.utils.atomic import replacing
from semanir_arch.utils.errors import InputError

STAGING = ".prepare"
"""Folder below the data root where unfinished parts wait."""

Report = Callable[[str], None]
"""Takes a line about the progress; the caller decides how often it is shown."""

_FILE_NAME = re.compile(r"[^/\\\0:]{1,200}")
_SHOWN = 5


@dataclass(frozen=True)
class State:
    """Progress of a folder.

    Args:
        folder: The folder.
        found: Files that are there.
        is_final: Whether they are in their place, not in the staging folder.
    """

    folder: Folder
    found: int
    is_final: bool

    @property
    def is_complete(self) -> bool:
        """Whether the folder can be used."""
        return self.is_final and self.found == self.folder.files


def states(data_set: DataSet, root: Path) -> dict[str, list[State]]:
    """State of each folder of a data set, by part."""
    staging = root / STAGING / data_set.name
    return {
        part: [_state(folder, root, staging) for folder in folders]
        for part, folders in data_set.parts.items()
    }


def verify(path: Path, data_set: DataSet, report: Report) -> str:
    """Compare a file with what the catalogue knows of it.

    Args:
        path: The archive; one of a name and size that the catalogue does not know passes, because
            the numbers of files are checked in any case. Folders pass too.
        data_set: Entry of the data set in the catalogue.
        report: Function that is told about the progress.

    Returns:
        One sentence on what was compared.

    Raises:
        ValueError: Size or checksum differ.
    """
    if not path.is_file():
        return f"{path}: a folder, the number of files will be checked"
    size = path.stat().st_size
    known = _known_archive(path, size, data_set)
    if known is None:
        return f"{path}: not in the catalogue, the number of files will be checked"
    if known.size is not None and size != known.size:
        raise InputError(
            f"{path}: has {size:,} bytes instead of {known.size:,}; the download is incomplete, "
            "or it is another file of this name: then rename it"
        )
    if known.checksum is None:
        return f"{path}: no checksum is known, the number of files will be checked"
    algorithm, expected = known.checksum
    received = digest(
        path, algorithm, lambda done: report(f"{path.name}: {algorithm} {_share(done, size)}")
    )
    if received != expected:
        raise InputError(f"{path}: damaged: its {algorithm} is {received} instead of {expected}")
    return f"{path}: {algorithm} is right"


def unpack(path: Path, data_set: DataSet, root: Path, report: Report) -> int:
    """Write the members of an archive that belong to unfinished parts to the staging folder.

    Args:
        path: The archive.
        data_set: Entry of the data set in the catalogue.
        root: The data root.
        report: Function that is told about the progress.

    Returns:
        Number of members that belong to the data set, written now or earlier.

    Raises:
        OSError: A file cannot be written.
        ValueError: The archive is damaged or not what its entry says.
    """
    staging = root / STAGING / data_set.name
    finished = {
        state.folder.path
        for part in states(data_set, root).values()
        for state in part
        if state.is_complete
    }
    seen: dict[str, set[str]] = {folder.path: set() for folder in _folders(data_set)}
    total = 0
    for member in members(path):
        place = _place(member, data_set)
        if place is None:
            continue
        folder, name = place
        if name in seen[folder.path]:
            raise InputError(f"{path}: two members want to be {folder.path}/{name}")
        seen[folder.path].add(name)
        if len(seen[folder.path]) > folder.files:
            raise InputError(
                f"{path}: has more than the {folder.files} files that belong in {folder.path}"
            )
        total += member.size
        if total > data_set.limit:
            raise InputError(
                f"{path}: unpacks to more than {data_set.limit / 2**30:g} GiB; archive refused"
            )
        if folder.path not in finished:
            _write(member, staging / folder.path / name)
        report(f"{path.name}: {sum(map(len, seen.values()))} files, {total / 2**30:.1f} GiB")
    return sum(map(len, seen.values()))


def finish(data_set: DataSet, root: Path) -> list[str]:
    """Move complete parts to their place.

    Returns:
        One line for every folder of a part that has begun and is not complete.

    Raises:
        ValueError: A folder holds images of another size, or other files are in its place.
    """
    staging = root / STAGING / data_set.name
    problems = []
    for part in states(data_set, root).values():
        if all(state.found == 0 for state in part) or all(state.is_complete for state in part):
            continue
        missing = [state for state in part if state.found != state.folder.files]
        if missing:
            problems += [_explain(state, _unmatched(part, root, staging)) for state in missing]
            continue
        for state in part:
            if not state.is_final:
                _check_sizes(staging / state.folder.path, state.folder)
        for state in part:
            if not state.is_final:
                _move(staging / state.folder.path, root / state.folder.path)
    if not problems:
        _remove_empty(staging)
    return problems


def _state(folder: Folder, root: Path, staging: Path) -> State:
    final = _count(root / folder.path)
    return (
        State(folder, final, True) if final else State(folder, _count(staging / folder.path), False)
    )


def _count(folder: Path) -> int:
    return sum(1 for _ in _files(folder))


def _files(folder: Path) -> Iterator[str]:
    if folder.is_dir():
        with os.scandir(folder) as entries:
            yield from (entry.name for entry in entries if entry.is_file() and entry.name[0] != ".")


def _folders(data_set: DataSet) -> Iterator[Folder]:
    for folders in data_set.parts.values():
        yield from folders


def _known_archive(path: Path, size: int, data_set: DataSet) -> Archive | None:
    by_size = [archive for archive in data_set.archives if archive.size == size]
    by_name = [archive for archive in data_set.archives if archive.name == path.name]
    return next(iter([*by_size, *by_name]), None)


def _place(member: Member, data_set: DataSet) -> tuple[Folder, str] | None:
    if "__MACOSX" in member.path.split("/") or member.path.rsplit("/", 1)[-1].startswith("."):
        return None
    for folder in _folders(data_set):
        for rule in folder.rules:
            name = rule.file_name(member.path)
            if name is not None:
                if not _is_file_name(name):
                    raise InputError(f"'{member.shown}' is not a valid file name; archive refused")
                return folder, name
    return None


def _is_file_name(name: str) -> bool:
    plain = _FILE_NAME.fullmatch(name) is not None and name.isprintable()
    return plain and not name.startswith(".")


def _write(member: Member, target: Path) -> None:
    if target.is_file() and target.stat().st_size == member.size:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with replacing(target, durable=False) as file:
        for chunk in member.chunks():
            written += len(chunk)
            if written > member.size:
                break
            file.write(chunk)
        if written != member.size:
            raise InputError(f"{member.archive}: {member.shown} is not as long as the archive says")


def _explain(state: State, partners: str) -> str:
    files = f"{state.folder.path}: {state.found} of {state.folder.files} files"
    return f"{files}; move this folder away first" if state.is_final else files + partners


def _unmatched(part: list[State], root: Path, staging: Path) -> str:
    """Find, in folders of pairs, the first files that lack their partner."""
    stems = [
        {
            Path(name).stem
            for name in _files((root if state.is_final else staging) / state.folder.path)
        }
        for state in part
    ]
    lonely = sorted(name for name in set().union(*stems) if not all(name in s for s in stems))
    if len(stems) < 2 or not lonely or not all(stems):
        return ""
    names = ", ".join(islice(lonely, _SHOWN)) + (", ..." if len(lonely) > _SHOWN else "")
    return f"; without partner: {names}"


def _check_sizes(path: Path, folder: Folder) -> None:
    if folder.size is None:
        return
    for name in sorted(_files(path)):
        file = path / name
        size = read_size(file.read_bytes(), str(file))
        if size not in (folder.size, folder.size[::-1]):
            width, height = folder.size
            raise InputError(f"{file}: is {size[0]}x{size[1]} instead of {width}x{height}")


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir() and not any(target.iterdir()):
        target.rmdir()
    if target.exists():
        raise InputError(f"{target}: exists and holds something else; move it away")
    source.replace(target)


def _remove_empty(staging: Path) -> None:
    if staging.is_dir():
        shutil.rmtree(staging)
    # also where a killed run got no further than that
    if staging.parent.is_dir() and not any(staging.parent.iterdir()):
        staging.parent.rmdir()


def _share(done: int, size: int) -> str:
    return f"{100 * done // size} %"
