"""Files that are complete or absent, whatever happens while they are written.

A file is written as `.NAME.PID-HEX.tmp` beside its place. Whoever writes it holds a lock on it,
which ends with the process; so what a killed process left is told from what is being written, also
where several computers share a folder, and the next process that writes there removes it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from semanir_arch.utils.errors import ExistingFileError

__all__ = ["copy_file", "is_temporary", "remove_leftovers", "replacing", "write_text"]

_SHOWN = 40
"""Characters of a name in that of its temporary file; each takes up to four bytes of 255."""


_TEMPORARY = re.compile(r"\..+\.\d+-[0-9a-f]{8}\.tmp", re.DOTALL)

_PATIENCE = 3600.0
"""Seconds after which a temporary file is taken for left where locks do not exist."""


@contextmanager
def replacing(path: Path, *, overwrite: bool = True, durable: bool = True) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path` when the block ends without an error.

    Several processes, also of several computers, may write the same `path`: it holds what one of
    them wrote, complete.

    Args:
        path: Destination; its folder must exist. Until the end it keeps its old content.
        overwrite: Whether a file that is at `path` at the end is replaced.
        durable: Whether to wait until it would survive a power cut; many small files that can be
            made again need not.

    Raises:
        FileExistsError: There is one, and `overwrite` is false.
        OSError: The file cannot be written, for example because the disk is full.
    """
    _sweep_once(path.parent)
    # cut: together with what is added, a long name would be longer than any file's may be
    temporary = path.with_name(f".{path.name[:_SHOWN]}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        with _open_locked(temporary) as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
            if os.name != "nt":
                _publish(temporary, path, overwrite)
        if os.name == "nt":
            # an open file cannot be renamed there
            _publish(temporary, path, overwrite)
    except OSError as error:
        # Those of write and fsync do not say which file, others name the temporary one.
        if error.filename in (None, str(temporary)):
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)
    if durable:
        _sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text in place of `path`."""
    with replacing(path) as file:
        file.write(text.encode("utf-8"))


def copy_file(source: Path, path: Path) -> None:
    """Write the content of a file in place of `path`."""
    with source.open("rb") as given, replacing(path) as file:
        shutil.copyfileobj(given, file)


def is_temporary(path: Path) -> bool:
    """Whether a file has the name of one that is being written."""
    return _TEMPORARY.fullmatch(path.name) is not None


def remove_leftovers(folder: Path) -> list[Path]:
    """Remove temporary files of processes that have ended; those below it are not looked at.

    Args:
        folder: Folder to clean; need not exist.

    Returns:
        Paths that were removed.
    """
    removed = []
    # nothing of this may keep a file from being written: a foreign folder, a file gone meanwhile
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            path = Path(entry.path)
            if is_temporary(path) and entry.is_file(follow_symlinks=False) and _is_left(path):
                with contextlib.suppress(OSError):
                    path.unlink()
                    removed.append(path)
    return removed


class _Swept:
    """Folders that this process has looked through."""

    folders: set[tuple[int, str]] = set()  # noqa: RUF012 - one for the process
    lock = threading.Lock()


def _sweep_once(folder: Path) -> None:
    key = (os.getpid(), str(folder.absolute()))
    with _Swept.lock:
        if key in _Swept.folders:
            return
        _Swept.folders.add(key)
    remove_leftovers(folder)


def _is_left(path: Path) -> bool:
    """Whether nobody is writing a temporary file any more."""
    try:
        if os.name == "nt":
            return time.time() - path.stat().st_mtime > _PATIENCE
        with path.open("r+b") as file:
            return _lock(file)
    except OSError:
        return False


@contextmanager
def _open_locked(path: Path) -> Iterator[BinaryIO]:
    """Open a new file, and hold it until it is closed."""
    while True:
        with path.open("wb") as file:
            _lock(file)
            # a process that looks for leftovers may have come between the two
            if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
                yield file
                return


def _lock(file: BinaryIO) -> bool:
    """Try to lock a file; whether that was possible."""
    if os.name == "nt":
        return False
    import fcntl

    try:
        # of the open file, unlike lockf's: threads of one process do not share it
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _publish(temporary: Path, path: Path, overwrite: bool) -> None:
    if overwrite:
        temporary.replace(path)
    else:
        _publish_new(temporary, path)


def _publish_new(temporary: Path, path: Path) -> None:
    """Give a file its name, unless another has it, even one written a moment ago."""
    try:
        # unlike a rename, fails where the name is taken
        os.link(temporary, path)
    except FileExistsError as error:
        raise ExistingFileError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from error
    except OSError:
        # a file system without links, such as FAT
        if path.exists():
            raise ExistingFileError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        temporary.replace(path)


def _sync_folder(folder: Path) -> None:
    # A rename survives a power cut only once its folder is on disk; Windows cannot open folders.
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
