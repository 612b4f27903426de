"""The folder of an experiment belongs to one run at a time."""

from __future__ import annotations

import os
import time
from pathlib import Path

__all__ = ["Claim", "archive"]

_LOCK = ".lock"


class Claim:
    """Holds the folder of an experiment until it is released or the process ends.

    Two runs of one name would replace each other's states; BasicSR moves the folder away from under
    a run that is writing to it.

    Args:
        folder: Made if it does not exist.

    Raises:
        ValueError: Another run holds it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = _lock(folder)
        for stale in folder.rglob(".*.tmp"):
            # What a killed run was writing: nobody else writes here.
            stale.unlink(missing_ok=True)

    def start_afresh(self) -> None:
        """Move what is in the folder aside, as BasicSR does."""
        if any(path.name != _LOCK for path in self._folder.iterdir()):
            archive(self._folder)
            self.release()
            self._lock = _lock(self._folder)

    def release(self) -> None:
        """Let others have the folder."""
        os.close(self._lock)


def archive(folder: Path) -> None:
    """Move a folder aside, to the name that BasicSR gives it; later ones of a second get a number.

    Args:
        folder: Nothing happens if it does not exist.
    """
    if not folder.exists():
        return
    name = f"{folder.name}_archived_{time.strftime('%Y%m%d_%H%M%S')}"
    target, number = folder.with_name(name), 1
    while target.exists():
        number += 1
        target = folder.with_name(f"{name}_{number}")
    folder.rename(target)


def _lock(folder: Path) -> int:
    """Lock the file in a folder, and return its descriptor."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _LOCK
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    if os.name == "nt":
        return descriptor
    # A lock of the process, unlike flock's: loading processes that outlive it do not hold it.
    import fcntl

    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise ValueError(
            f"{folder}: another run of this name is in progress; wait for it, stop it, or give "
            "this one another name"
        ) from error
    return descriptor
