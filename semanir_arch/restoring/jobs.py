"""Which files a call of `semanir-restore` reads, and where each result goes."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from semanir_arch.data.files.extra_formats import INSTALL
from semanir_arch.data.sources.name_table import natural_order
from semanir_arch.data.sources.scanning import (
    IMAGE_SUFFIXES,
    is_image_name,
    readable_suffixes,
    scan_names,
)
from semanir_arch.utils.errors import InputError
from semanir_arch.utils.same_names import folded
from semanir_arch.utils.spelling import hint_at_path
from semanir_arch.utils.suffixes import HEIC_SUFFIXES, RAW_SUFFIXES

__all__ = ["Job", "JobList", "is_address", "list_jobs"]

_HINTS = {
    HEIC_SUFFIXES: f"to read HEIC photos: {INSTALL}",
    RAW_SUFFIXES: f"to read camera raw files: {INSTALL}",
    (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mts", ".3gp"): (
        "extract pictures from videos first (ffmpeg -i FILM frames/%06d.png)"
    ),
    (".pdf",): "save pages of PDF documents as PNG first",
}
"""Advice on files that people take for photos, by suffix."""

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True)
class Job:
    """One image to restore.

    Attributes:
        source: The file to read.
        target: The file to write.
        number: Place in the list, from 1.
        picture_name: Name of the before/after picture; None for NAME_compare.png.
        label: Task, weights and settings, once they are known.
    """

    source: Path
    target: Path
    number: int = 1
    picture_name: str | None = None
    label: str = ""

    @property
    def size(self) -> int:
        """Bytes of the source, a measure of the work; 0 if it cannot be told."""
        try:
            return self.source.stat().st_size
        except OSError:
            return 0

    @property
    def picture(self) -> Path:
        """Path of the before/after picture: next to the target."""
        return self.target.with_name(self.picture_name or f"{self.target.stem}_compare.png")


@dataclass
class JobList:
    """Jobs that can be done, and one message for each input for which nothing can.

    Attributes:
        jobs: Jobs in the order of the inputs; images of a folder in natural order.
        problems: Messages that name the file.
        skipped: Number of files in the folders whose suffix is not an image's, by suffix.
    """

    jobs: list[Job] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)

    @property
    def note(self) -> str:
        """One line on what was passed over; empty if nothing was."""
        if not self.skipped:
            return ""
        counts = ", ".join(f"{count} {suffix}" for suffix, count in self.skipped.most_common())
        hints = dict.fromkeys(
            hint
            for suffixes, hint in _HINTS.items()
            if not self.skipped.keys().isdisjoint(suffixes)
        )
        return f"passed over in folders: {counts}{''.join(f'; {hint}' for hint in hints)}"

    def share(self, rank: int, count: int) -> list[Job]:
        """The jobs of one of several processes: large and small files for each, in order.

        Args:
            rank: Number of the process, from 0.
            count: Number of processes.
        """
        by_size = sorted(self.jobs, key=lambda job: (-job.size, job.number))
        return sorted(by_size[rank::count], key=lambda job: job.number)


def list_jobs(inputs: Sequence[str], output: Path, suffix: str | None = None) -> JobList:
    """Give every image its own target; nothing is read or written yet.

    A folder is searched with its sub-folders, which reappear below `output`, and so are the files
    that a pattern (`*`, `?`, `[...]`, `**` for any folders) matches, below its fixed part. What
    lies in `output` itself is not searched. Results keep the names of the inputs; a format that
    cannot be written becomes PNG. A file that is named again, with the same result, counts once.

    Args:
        inputs: Images, folders and patterns.
        output: A folder, or, for one image, a file with the suffix of an image.
        suffix: Suffix of all results, such as `.png`; None for that of the input.
    """
    job_list = JobList()
    for given in inputs:
        job_list.skipped += _passed_over(given, output)
    named = (job for given in inputs for job in _find(given, output, suffix, job_list.problems))
    found = _each_once(named)
    if any(_real(output) == _real(folder) for folder in _folders(inputs)):
        job_list.problems.append(
            f"{output}: the results would mix with the photos; choose another folder, such as "
            f"-o {output / 'restored'}"
        )
        return job_list
    if found and not output.is_dir() and (_can_write(output) or output.exists()):
        # unlike Path.is_dir, also of names that the system refuses
        folders = any(os.path.isdir(given) for given in inputs)  # noqa: PTH112
        if len(found) > 1 or folders or not _can_write(output):
            job_list.problems.append(f"{output}: a file, but {len(found)} results need a folder")
            return job_list
        found = [Job(found[0].source, output)]
    sources = {_real(job.source) for job in found}
    taken: dict[str, Job] = {}
    for job in found:
        target = _real(job.target)
        if target in sources:
            job_list.problems.append(
                f"{job.source}: the result would overwrite an input, {job.target}"
            )
        elif (twin := taken.get(folded(str(target)))) is not None:
            job_list.problems.append(_clash(job, twin))
        else:
            taken[folded(str(target))] = job
            job_list.jobs.append(replace(job, number=len(job_list.jobs) + 1))
    names = {folded(str(source)) for source in sources}
    job_list.jobs = list(_with_own_pictures(job_list.jobs, names | set(taken)))
    return job_list


def _folders(inputs: Iterable[str]) -> Iterator[Path]:
    """The folders that are searched, those of patterns too."""
    for given in inputs:
        if given and not is_address(given) and not os.path.isfile(given):  # noqa: PTH113
            if os.path.isdir(given):  # noqa: PTH112
                yield Path(given)
            elif glob.has_magic(given):
                yield _fixed_part(given)


def _passed_over(given: str, output: Path) -> Counter[str]:
    """Count the files of a folder whose suffix is not an image's; hidden ones do not count."""
    counts: Counter[str] = Counter()
    if not given or not os.path.isdir(given):  # noqa: PTH112
        return counts
    below, readable = _real(output), readable_suffixes()
    for folder, subfolders, files in os.walk(given):
        subfolders[:] = [
            name
            for name in subfolders
            if not name.startswith(".") and _real(Path(folder, name)) != below
        ]
        counts.update(
            Path(name).suffix.lower() or "without suffix"
            for name in files
            if not name.startswith(".") and not is_image_name(name, readable)
        )
    return counts


def is_address(text: str) -> bool:
    """Whether a text is a URL."""
    return _ADDRESS.match(text) is not None


def _each_once(jobs: Iterable[Job]) -> list[Job]:
    """Leave out files that are named again, with the same result."""
    once: dict[tuple[Path, Path], Job] = {}
    for job in jobs:
        once.setdefault((_real(job.source), _real(job.target)), job)
    return list(once.values())


def _clash(job: Job, twin: Job) -> str:
    text = f"{job.source}: its result would replace that of {twin.source}, {job.target}"
    if _real(job.target) == _real(twin.target):
        return text
    return f"{text}: on some systems, names that differ only in case or accents are the same"


def _with_own_pictures(jobs: Sequence[Job], taken: set[str]) -> Iterator[Job]:
    """Rename before/after pictures that would be in the place of a photo, result or another."""
    for job in jobs:
        named, number = job, 1
        while (picture := folded(str(_real(named.picture)))) in taken:
            middle = "compare" if number == 1 else f"compare{number}"
            named = replace(job, picture_name=f"{job.target.name}_{middle}.png")
            number += 1
        taken.add(picture)
        yield named


def _find(given: str, output: Path, suffix: str | None, problems: list[str]) -> list[Job]:
    try:
        found = _search(given, output, problems)
    except ValueError as error:
        problems.append(str(error))
    except OSError as error:
        problems.append(f"{given}: {error.strerror}")
    else:
        return [Job(source, output / _result_name(name, suffix)) for source, name in found]
    return []


def _search(given: str, output: Path, problems: list[str]) -> Sequence[tuple[Path, Path]]:
    """Images, each with its name below the output.

    Raises:
        ValueError: There is none; says why.
        OSError: The name cannot be looked up.
    """
    if is_address(given):
        raise InputError(f"{given}: web addresses are not downloaded; download the file yourself")
    if not given:
        raise InputError("'': a name must not be empty")
    path = Path(given)
    if path.is_file():
        return [(path, Path(path.name))]
    if path.is_dir():
        found = [(image, image.relative_to(path)) for image in _scan(path, problems)]
        return list(_outside(found, path, output))
    if not glob.has_magic(given):
        raise InputError(f"{given}: no such file or folder{hint_at_path(given)}")
    matches = list(_outside(_matches(given, problems), _fixed_part(given), output))
    if not matches:
        raise InputError(f"{given}: no image matches this pattern")
    return matches


def _scan(folder: Path, problems: list[str]) -> list[Path]:
    def tell(error: OSError) -> None:
        unread = folder / os.path.relpath(error.filename, folder)
        problems.append(f"{unread}: this folder cannot be read: {error.strerror}")

    names = scan_names(folder, suffixes=readable_suffixes(), on_error=tell)
    return [folder / name for name in names]


def _matches(pattern: str, problems: list[str]) -> list[tuple[Path, Path]]:
    """Images that a pattern matches, also in folders that it matches, and their names below it."""
    fixed = _fixed_part(pattern)
    paths: dict[Path, None] = {}
    # not Path.glob, which takes no absolute patterns
    for name in natural_order(glob.glob(pattern, recursive=True)):  # noqa: PTH207
        path = Path(name)
        if path.is_dir():
            with suppress(ValueError):
                # without images: perhaps another match has some
                paths |= dict.fromkeys(_scan(path, problems))
        elif is_image_name(path.name, readable_suffixes()):
            paths[path] = None
    return [(path, path.relative_to(fixed)) for path in paths]


def _fixed_part(pattern: str) -> Path:
    """The folders in front of the first sign of a pattern that stands for several names."""
    parts = Path(pattern).parts
    magic = next(index for index, part in enumerate(parts) if glob.has_magic(part))
    return Path(*parts[:magic])


def _outside(
    found: Sequence[tuple[Path, Path]], searched: Path, output: Path
) -> Iterator[tuple[Path, Path]]:
    """Leave out results of an earlier call, where the output lies inside what is searched."""
    below = _real(output)
    inside = _real(searched) in below.parents
    for source, name in found:
        if not (inside and below in _real(source).parents):
            yield source, name


def _real(path: Path) -> Path:
    """A path without links; unlike `Path.resolve`, also of links in a circle."""
    return Path(os.path.realpath(path))


def _result_name(path: Path, suffix: str | None) -> Path:
    if suffix is not None:
        return path.with_suffix(suffix)
    return path if _can_write(path) else path.with_suffix(".png")


def _can_write(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES
