"""Which images a folder holds, and a list of them on disk for the next start.

Listing a million files takes seconds on a local disk, but minutes on a network disk. The list that
`scan_names` keeps is valid as long as no folder in it has changed: adding, removing or renaming a
file changes the time stamp of its folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import zlib
from collections.abc import Callable
from pathlib import Path

from semanir_arch.data.files.extra_formats import ExtraFormat, is_installed
from semanir_arch.data.sources.name_table import NameTable, natural_order
from semanir_arch.utils.atomic import replacing
from semanir_arch.utils.errors import InputError, MissingFileError
from semanir_arch.utils.spelling import hint_at_path
from semanir_arch.utils.suffixes import HEIC_SUFFIXES, RAW_SUFFIXES

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp")
"""Names of image files that are read and written, in any case."""

DATA_SUFFIXES = (*IMAGE_SUFFIXES, *HEIC_SUFFIXES, *RAW_SUFFIXES)
"""Suffixes that count in data sets; the same on all computers, whichever packages they have."""

_ALSO_READ = (".gif", ".jfif", ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".avif")

READABLE_SUFFIXES = (*DATA_SUFFIXES, *_ALSO_READ)
"""All that are read, some of them only with packages of the extra `formats`."""

# a folder changed during the scan may change again without a new time stamp: file systems count
# time in steps of up to two seconds
_SETTLED = 3 * 10**9


def readable_suffixes() -> tuple[str, ...]:
    """Suffixes that count among a person's photos: those that the installed packages can read."""
    heic = HEIC_SUFFIXES if is_installed(ExtraFormat.HEIC) else ()
    raw = RAW_SUFFIXES if is_installed(ExtraFormat.RAW) else ()
    return (*IMAGE_SUFFIXES, *_ALSO_READ, *heic, *raw)


def scan_images(root: str | os.PathLike[str]) -> list[Path]:
    """Find the images of a folder and its sub-folders; see `scan_names`.

    Args:
        root: A folder (links are followed), or one image.

    Returns:
        Paths in natural order: `img2` comes before `img10`.

    Raises:
        FileNotFoundError: `root` does not exist.
        ValueError: There is no image in it.
    """
    root = Path(root)
    return [root] if root.is_file() else [root / name for name in scan_names(root)]


def scan_names(
    root: str | os.PathLike[str],
    index_cache: str | None = None,
    *,
    suffixes: tuple[str, ...] = DATA_SUFFIXES,
    on_error: Callable[[OSError], None] | None = None,
) -> NameTable:
    """Find the images of a folder and its sub-folders.

    Links are followed. Hidden files and folders and everything without one of the suffixes are
    passed over.

    Args:
        root: The folder.
        index_cache: Folder for lists of files; made if needed.
        suffixes: Lower-case endings of the names that count, in any case.
        on_error: Function that is told of each folder that cannot be read; None skips such folders.

    Returns:
        Paths relative to `root`, `/` between folders, in natural order.

    Raises:
        FileNotFoundError: `root` does not exist.
        ValueError: There is no image in it.
    """
    if not Path(root).is_dir():
        raise MissingFileError(f"{root}: no such folder or image{hint_at_path(root)}")
    index = (
        None if index_cache is None else _Index(Path(root).absolute(), Path(index_cache), suffixes)
    )
    names = None if index is None else index.load()
    if names is None:
        started = time.time_ns()
        found, folders = _walk(str(Path(root).absolute()), suffixes, on_error)
        names = NameTable(natural_order(found))
        settled = all(started - changed > _SETTLED for changed, _ in folders.values())
        if index is not None and settled:
            index.save(names, folders)
    if not names:
        raise InputError(f"{root}: holds no image (looked for {_shown(suffixes)})")
    return names


def _walk(
    root: str, suffixes: tuple[str, ...], on_error: Callable[[OSError], None] | None
) -> tuple[list[str], dict[str, list[int]]]:
    """Relative paths of all images; every folder's time of change in nanoseconds and inode."""
    found: list[str] = []
    stamps: dict[str, list[int]] = {}
    above: dict[str, frozenset[tuple[int, int]]] = {}
    for folder, subfolders, files in os.walk(root, onerror=on_error, followlinks=True):
        status = Path(folder).stat()
        identity, parents = (status.st_dev, status.st_ino), above.get(str(Path(folder).parent))
        if parents is not None and identity in parents:
            # a link back to a folder above: following it would never end
            subfolders.clear()
            continue
        above[folder] = (parents or frozenset()) | {identity}
        stamps[folder] = _stamp(status)
        # in place: tells os.walk where not to go
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        below = "" if folder == root else os.path.relpath(folder, root).replace(os.sep, "/") + "/"
        found += [below + name for name in files if is_image_name(name, suffixes)]
    return found, stamps


def _shown(suffixes: tuple[str, ...]) -> str:
    raw = "camera raw files"
    kinds = dict.fromkeys(raw if suffix in RAW_SUFFIXES else suffix for suffix in suffixes)
    return ", ".join(kinds)


def _stamp(status: os.stat_result) -> list[int]:
    return [status.st_mtime_ns, status.st_ino]


def is_image_name(name: str, suffixes: tuple[str, ...]) -> bool:
    """Whether a file of this name counts as an image."""
    return name.lower().endswith(suffixes) and not name.startswith(".")


class _Index:
    """The list of one folder's files on disk: time stamps in JSON, then the names, compressed."""

    def __init__(self, root: Path, folder: Path, suffixes: tuple[str, ...]) -> None:
        self.root = str(root)
        self._suffixes = [*suffixes]
        digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
        self._path = folder / f"{root.name}-{digest}.index"

    def load(self) -> NameTable | None:
        """The names, or None where the list is absent, outdated or damaged."""
        try:
            header, _, body = self._path.read_bytes().partition(b"\n")
            content = json.loads(header)
            stamps = content["folders"]
            if content["root"] != self.root or content["crc"] != zlib.crc32(body):
                return None
            if content["suffixes"] != self._suffixes:
                return None
            if any(_stamp(Path(folder).stat()) != stamp for folder, stamp in stamps.items()):
                return None
            text = zlib.decompress(body).decode("utf-8", "surrogateescape")
        except (OSError, ValueError, KeyError, TypeError, zlib.error):
            return None
        return NameTable(text.split("\0"))

    def save(self, names: NameTable, folders: dict[str, list[int]]) -> None:
        body = zlib.compress("\0".join(names).encode("utf-8", "surrogateescape"), 1)
        header = {"root": self.root, "folders": folders, "crc": zlib.crc32(body)}
        header["suffixes"] = self._suffixes
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self._path) as file:
            file.write(json.dumps(header).encode() + b"\n")
            file.write(body)
