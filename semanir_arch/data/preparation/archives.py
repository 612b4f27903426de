"""Archives as streams of regular files; nothing is written here.

Callers choose themselves where a member goes. Still an archive is refused as a whole where a member
has an absolute path or climbs out of its folder, because nobody packs images like that.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from semanir_arch.utils.errors import InputError, MissingFileError
from semanir_arch.utils.shown import shown

CHUNK = 2**20
"""Bytes read at a time."""

_DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    # gzip: "Not a gzipped file", "CRC check failed"
    OSError,
)
_ENCRYPTED = 0x1


@dataclass(frozen=True)
class Member:
    """A regular file in an archive.

    Args:
        archive: The archive.
        path: Path in the archive, with `/` between folders.
        size: Bytes, as the archive declares.
        opener: Function that opens it for reading.
    """

    archive: Path
    path: str
    size: int
    opener: Callable[[], IO[bytes]]

    @property
    def shown(self) -> str:
        """Path for messages, without terminal control sequences."""
        return shown(self.path)

    def chunks(self) -> Iterator[bytes]:
        """Yield the content piece by piece.

        Raises:
            ValueError: The archive is damaged.
        """
        try:
            with self.opener() as file:
                while chunk := file.read(CHUNK):
                    yield chunk
        except _DAMAGED as error:
            raise InputError(
                f"{self.archive}: {self.shown} is damaged: {shown(str(error))}"
            ) from error


def members(path: Path) -> Iterator[Member]:
    """The regular files of an archive, in its order; read each before asking for the next.

    Args:
        path: A zip, a tar (plain, gz, bz2 or xz), a folder, or a single file, which is its own only
            member.

    Raises:
        FileNotFoundError: No such file or folder.
        ValueError: The archive is damaged, cut short, encrypted, of a kind that is not supported,
            or has a member that would leave the folder.
    """
    if path.is_dir():
        yield from _walk(path)
        return
    if not path.is_file():
        raise MissingFileError(f"{path}: no such archive or folder")
    if path.suffix.lower() in (".rar", ".7z"):
        raise InputError(
            f"{path}: {path.suffix} is not supported; unpack it and give the folder instead"
        )
    try:
        if zipfile.is_zipfile(path):
            yield from _zip_members(path)
        elif tarfile.is_tarfile(path):
            yield from _tar_members(path)
        elif _is_called_archive(path):
            raise InputError(f"{path}: damaged, or its download is incomplete")
        else:
            yield Member(path, path.name, path.stat().st_size, partial(_open, path))
    except _DAMAGED as error:
        raise InputError(
            f"{path}: damaged, or its download is incomplete: {shown(str(error))}"
        ) from error


def digest(path: Path, algorithm: str, progress: Callable[[int], None]) -> str:
    """Checksum of a file in hexadecimal digits.

    Args:
        path: The file.
        algorithm: A name that `hashlib` knows.
        progress: Function called with the number of bytes read so far.
    """
    checksum, done = hashlib.new(algorithm, usedforsecurity=False), 0
    with path.open("rb") as file:
        while chunk := file.read(16 * CHUNK):
            checksum.update(chunk)
            done += len(chunk)
            progress(done)
    return checksum.hexdigest()


def _open(path: Path) -> IO[bytes]:
    return path.open("rb")


def _walk(root: Path) -> Iterator[Member]:
    for folder, subfolders, names in os.walk(root):
        subfolders.sort()
        for name in sorted(names):
            file = Path(folder, name)
            if stat.S_ISREG(file.lstat().st_mode):
                # the folder's own name takes part in patterns
                inside = file.relative_to(root.parent).as_posix()
                yield Member(root, inside, file.stat().st_size, partial(_open, file))


def _zip_members(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            # the upper half holds the mode where a Unix system packed the file
            mode = info.external_attr >> 16
            is_regular = not stat.S_IFMT(mode) or stat.S_ISREG(mode)
            if info.is_dir() or not is_regular:
                continue
            if info.flag_bits & _ENCRYPTED:
                raise InputError(
                    f"{path}: is encrypted; unpack it with its password and give the folder instead"
                )
            yield _checked(path, info.filename, info.file_size, partial(archive.open, info))


def _tar_members(path: Path) -> Iterator[Member]:
    # as a stream: tar.gz cannot be entered in the middle
    with tarfile.open(path, "r|*") as archive:
        for info in archive:
            if info.isreg():
                yield _checked(path, info.name, info.size, partial(_extract, archive, info))


def _extract(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    file = archive.extractfile(info)
    if file is None:
        raise tarfile.TarError(f"{info.name} is not a file")
    return file


def _checked(archive: Path, path: str, size: int, opener: Callable[[], IO[bytes]]) -> Member:
    path = path.replace("\\", "/")
    if path.startswith("/") or path[1:2] == ":" or ".." in path.split("/"):
        raise InputError(
            f"{archive}: its member '{shown(path)}' would leave the folder; archive refused"
        )
    return Member(archive, path, size, opener)


def _is_called_archive(path: Path) -> bool:
    return path.name.lower().endswith((".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz"))
