"""Files that are complete or absent, whatever happens while they are written."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["copy_file", "replacing", "write_text"]

_SHOWN = 40
"""Characters of a name in that of its temporary file; each takes up to four bytes of 255."""


@contextmanager
def replacing(path: Path, *, overwrite: bool = True) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path` when the block ends without an error.

    Several processes, also of several computers, may write the same `path`: it holds what one of
    them wrote, complete.

    Args:
        path: Destination; its folder must exist. Until the end it keeps its old content.
        overwrite: Whether a file that is at `path` at the end is replaced.

    Raises:
        FileExistsError: There is one, and `overwrite` is false.
        OSError: The file cannot be written, for example because the disk is full.
    """
    # cut: together with what is added, a long name would be longer than any file's may be
    temporary = path.with_name(f".{path.name[:_SHOWN]}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if overwrite:
            temporary.replace(path)
        else:
            _publish_new(temporary, path)
    except OSError as error:
        # Those of write and fsync do not say which file, others name the temporary one.
        if error.filename in (None, str(temporary)):
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text in place of `path`."""
    with replacing(path) as file:
        file.write(text.encode("utf-8"))


def copy_file(source: Path, path: Path) -> None:
    """Write the content of a file in place of `path`."""
    with source.open("rb") as given, replacing(path) as file:
        shutil.copyfileobj(given, file)


def _publish_new(temporary: Path, path: Path) -> None:
    """Give a file its name, unless another has it, even one written a moment ago."""
    try:
        # unlike a rename, fails where the name is taken
        os.link(temporary, path)
    except FileExistsError as error:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from error
    except OSError:
        # a file system without links, such as FAT
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
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
