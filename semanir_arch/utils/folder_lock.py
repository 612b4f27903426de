"""The folder of an experiment belongs to one run at a time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from semanir_arch.utils.errors import InputError

__all__ = ["FolderLock", "archive"]

_LOCK = ".lock"


class FolderLock:
    """Holds the folder of an experiment until it is released or the process ends.

    Two runs of one name would replace each other's states; BasicSR moves the folder away from under
    a run that is writing to it.

    Args:
        folder: Folder to lock; made if it does not exist.

    Raises:
        ValueError: Another run holds it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._unlock = _lock(folder)
        for stale in folder.rglob(".*.tmp"):
            # What a killed run was writing: nobody else writes here.
            stale.unlink(missing_ok=True)

    def start_afresh(self) -> None:
        """Move what is in the folder aside, as BasicSR does."""
        if not any(path.name != _LOCK for path in self._folder.iterdir()):
            return
        if os.name == "nt":
            # A folder with an open file cannot be moved there. A run that takes it in between
            # keeps it: then it cannot be moved either.
            self.release()
        try:
            archive(self._folder)
        except PermissionError as error:
            if os.name == "nt":
                raise InputError(_refusal(self._folder)) from error
            raise
        if os.name != "nt":
            self.release()
        self._unlock = _lock(self._folder)

    def release(self) -> None:
        """Let others have the folder."""
        self._unlock()


def archive(folder: Path) -> None:
    """Move a folder aside, to the name that BasicSR gives it; later ones of a second get a number.

    Args:
        folder: Folder to rename; nothing happens if it does not exist.
    """
    if not folder.exists():
        return
    name = f"{folder.name}_archived_{time.strftime('%Y%m%d_%H%M%S')}"
    target, number = folder.with_name(name), 1
    while target.exists():
        number += 1
        target = folder.with_name(f"{name}_{number}")
    folder.rename(target)


def _lock(folder: Path) -> Callable[[], None]:
    """Lock the file in a folder, and return what unlocks it.

    Raises:
        ValueError: Another run has locked it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    unlock = (_lock_file_of_windows if os.name == "nt" else _lock_file)(folder / _LOCK)
    if unlock is None:
        raise InputError(_refusal(folder))
    return unlock


def _refusal(folder: Path) -> str:
    return (
        f"{folder}: another run of this name is in progress; wait for it, stop it, or give "
        "this one another name"
    )


def _lock_file(path: Path) -> Callable[[], None] | None:
    """Lock a file for this process; None if another has it."""
    import fcntl

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        # A lock of the process. That of filelock would be flock's: loading processes inherit it,
        # and hold the folder when they outlive a process that was killed.
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return lambda: os.close(descriptor)


def _lock_file_of_windows(path: Path) -> Callable[[], None] | None:
    """The same where there is no `fcntl`, and no process inherits a lock."""
    from filelock import FileLock, Timeout

    # not of the thread: whoever releases it may be another
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return None
    return lock.release
