"""LMDB: many images in one file, written and read by us, and readable by BasicSR.

An LMDB is a folder `*.lmdb` with `data.mdb` and `meta_info.txt`. The text file has one line
`key.png (height,width,channels) kind` per image, like BasicSR's; it comes last, so a folder without
it is unfinished. Keys are any UTF-8 text of up to 511 bytes, with dots and `/`.
BasicSR itself reads PNG values under ASCII keys without dots.

- `write_lmdb(path, items)` or `LmdbWriter`: continue where they were interrupted
- `read_keys(path)`, `reading(path)`: one environment per process and file, whoever asks

`lmdb` is an optional dependency (extra `train`).
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from numpy.typing import NDArray

from semanir_arch.data.files.fast_png import encode_fast_png
from semanir_arch.data.sources.lmdb_values import pack_raw, summarize
from semanir_arch.utils.atomic import write_text
from semanir_arch.utils.errors import FileError, InputError, MissingFileError, MissingPackageError

META_INFO = "meta_info.txt"
"""The list of keys in an LMDB folder."""

_DATA = "data.mdb"
_LONGEST_KEY = 511
_BATCH = 2**26
_SMALLEST_MAP = 2**24
_LINE = re.compile(r"(?P<key>.+)\.\w+ \(\d+, *\d+, *\d+\) \S+")

Pixels = NDArray[Any]
_Identity = tuple[int, int]


class LmdbWriter:
    """Writes images into an LMDB; one that was interrupted is continued.

    Use it as a context manager: leaving it without an error completes the LMDB. What was put in
    before a crash stays, except for the last 64 MiB at most.

    Args:
        path: Folder, ending in `.lmdb`; made if needed.
        raw: Whether to store raw pixels, which are the fastest to read; otherwise PNG files, which
            BasicSR can read too.
        compress: Whether PNG files are compressed: half the size, and three to four times the time
            to read.

    Raises:
        OSError: The folder cannot be written.
        ValueError: The name does not end in `.lmdb`, or what is there is damaged.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, raw: bool = True, compress: bool = False
    ) -> None:
        self.path = _checked_path(path)
        self._encode: Callable[[Pixels], bytes] = (
            pack_raw if raw else lambda pixels: encode_fast_png(pixels, compress=compress)
        )
        self._waiting: dict[bytes, bytes] = {}
        self._waiting_bytes = 0
        self.path.mkdir(parents=True, exist_ok=True)
        # unfinished from now on
        (self.path / META_INFO).unlink(missing_ok=True)
        _ENVIRONMENTS.close(self.path)
        self._environment = _open_for_writing(self.path)

    def __enter__(self) -> LmdbWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._flush()
            if kind is None:
                self._write_meta_info()
        finally:
            self._environment.close()

    def __contains__(self, key: str) -> bool:
        """Whether an image is there, from now or from before an interruption."""
        encoded = _encode_key(key, self.path)
        if encoded in self._waiting:
            return True
        with self._environment.begin(buffers=True) as transaction:
            return transaction.get(encoded) is not None

    def put(self, key: str, image: Pixels | bytes) -> None:
        """Add one image.

        Args:
            key: Name of the image.
            image: Pixels (H, W, C), uint8 or uint16, RGB order; or the bytes of an image file,
                which are stored as they are.

        Raises:
            TypeError: The pixels are of another type.
            ValueError: The key is there already or not allowed, or the image is none.
        """
        if key in self:
            raise InputError(f"{self.path}: key {key!r} exists already")
        value = image if isinstance(image, bytes) else self._encode(image)
        summarize(memoryview(value), f"{self.path}: {key}")
        self._waiting[_encode_key(key, self.path)] = value
        self._waiting_bytes += len(value)
        if self._waiting_bytes >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        while self._waiting:
            try:
                with self._environment.begin(write=True) as transaction:
                    for key, value in self._waiting.items():
                        transaction.put(key, value)
            except _lmdb().MapFullError:
                self._environment.set_mapsize(2 * self._environment.info()["map_size"])
            except _lmdb().Error as error:
                raise FileError(f"{self.path}: cannot be written: {error}") from error
            else:
                self._waiting.clear()
                self._waiting_bytes = 0

    def _write_meta_info(self) -> None:
        lines = []
        with self._environment.begin(buffers=True) as transaction:
            for encoded, value in transaction.cursor():
                key = bytes(encoded).decode()
                height, width, channels, kind = summarize(value, f"{self.path}: {key}")
                lines.append(f"{key}.png ({height},{width},{channels}) {kind}\n")
        self._environment.sync(True)
        write_text(self.path / META_INFO, "".join(lines))


def write_lmdb(
    path: str | os.PathLike[str],
    items: Iterable[tuple[str, Pixels | bytes | Callable[[], Pixels | bytes]]],
    *,
    raw: bool = True,
    compress: bool = False,
) -> int:
    """Write images into an LMDB, or those that are not in it yet.

    Args:
        path: Folder, ending in `.lmdb`.
        items: Key and image as in `LmdbWriter.put`; instead of the image, a function that makes it,
            which is called only where it is missing.
        raw: Storage as raw pixels, as for `LmdbWriter`.
        compress: Compression of PNG files, as for `LmdbWriter`.

    Returns:
        Number of images that were added.

    Raises:
        OSError: The LMDB cannot be written, for example because the disk is full.
        TypeError: See `LmdbWriter.put`.
        ValueError: See `LmdbWriter`.
    """
    added = 0
    with LmdbWriter(path, raw=raw, compress=compress) as writer:
        for key, image in items:
            if key not in writer:
                writer.put(key, image() if callable(image) else image)
                added += 1
    return added


def read_keys(path: str | os.PathLike[str]) -> list[str]:
    """All keys of an LMDB, as its `meta_info.txt` lists them. The LMDB itself is not opened.

    Raises:
        FileNotFoundError: No such LMDB, or its writing was interrupted.
        ValueError: A line is not as described above.
    """
    path = _checked_path(path)
    if not (path / _DATA).is_file():
        raise MissingFileError(f"{path}: not an LMDB ({_DATA} is missing)")
    if not (path / META_INFO).is_file():
        raise MissingFileError(
            f"{path}: unfinished, {META_INFO} is missing; run the command that was writing it again"
        )
    keys = []
    try:
        text = (path / META_INFO).read_bytes().decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{path / META_INFO}: not UTF-8: {error}") from error
    for number, line in enumerate(text.removesuffix("\n").split("\n"), start=1):
        match = _LINE.fullmatch(line.removesuffix("\r"))
        if match is None:
            raise InputError(
                f"{path / META_INFO}, line {number}: must be 'name.png (height,width,channels) "
                f"kind', received {line!r}"
            )
        keys.append(match["key"])
    return keys


@contextmanager
def reading(path: str | os.PathLike[str], key: str) -> Iterator[memoryview]:
    """The value of a key, in the file itself: to be copied from within the `with` block only.

    Raises:
        FileNotFoundError: No such LMDB.
        ValueError: The LMDB does not have the key, or is damaged.
    """
    path = Path(path)
    with _begin(path) as transaction:
        value = transaction.get(_encode_key(key, path))
        if value is None:
            raise InputError(f"{path}: no key {key!r}, though {META_INFO} lists it")
        yield value


class _Environments:
    """The open environments of this process, by their folders."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened: dict[_Identity, tuple[_Identity, Any]] = {}

    def get(self, path: Path) -> Any:
        """The environment of a folder; opened again where its file was replaced."""
        try:
            folder, data = path.stat(), (path / _DATA).stat()
        except FileNotFoundError:
            raise MissingFileError(f"{path}: not an LMDB ({_DATA} is missing)") from None
        with self._lock:
            known, environment = self._opened.get(_identity(folder), (None, None))
            if known != _identity(data):
                self._close(_identity(folder))
                environment = _open_for_reading(path, data.st_size)
                self._opened[_identity(folder)] = _identity(data), environment
            return environment

    def close(self, path: Path) -> None:
        """Let go of a folder, which lmdb refuses to open twice in a process."""
        with self._lock:
            self._close(_identity(path.stat()))

    def forget(self) -> None:
        """Start afresh in a forked process, which must not use what its parent opened."""
        self._lock = threading.Lock()
        for folder in list(self._opened):
            self._close(folder)

    def _close(self, folder: _Identity) -> None:
        if folder in self._opened:
            self._opened.pop(folder)[1].close()


_ENVIRONMENTS = _Environments()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_ENVIRONMENTS.forget)


def _identity(status: os.stat_result) -> _Identity:
    return status.st_dev, status.st_ino


def _begin(path: Path) -> Any:
    environment = _ENVIRONMENTS.get(path)
    try:
        return environment.begin(buffers=True)
    except _lmdb().Error as error:
        raise InputError(f"{path}: cannot be read as an LMDB: {error}") from error


def _open_for_writing(path: Path) -> Any:
    lmdb = _lmdb()
    try:
        return lmdb.open(str(path), map_size=_SMALLEST_MAP)
    except (lmdb.InvalidError, lmdb.CorruptedError, lmdb.VersionMismatchError) as error:
        raise InputError(f"{path}: damaged, delete it: {error}") from error
    except lmdb.Error as error:
        raise FileError(f"{path}: cannot be written: {error}") from error


def _open_for_reading(path: Path, size: int) -> Any:
    lmdb = _lmdb()
    try:
        # without lock: also on read-only and network disks; without read-ahead: access is random
        environment = lmdb.open(str(path), readonly=True, lock=False, readahead=False)
    except lmdb.Error as error:
        raise InputError(f"{path}: cannot be read as an LMDB: {error}") from error
    needed = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
    if size < needed:
        environment.close()
        # reading on would end the process with a bus error
        raise InputError(f"{path / _DATA}: cut short, {size} of {needed} bytes")
    return environment


def _lmdb() -> ModuleType:
    try:
        import lmdb
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            "LMDB files need the package lmdb: pip install 'semanir-arch[train]'"
        ) from error
    return lmdb


def _checked_path(path: str | os.PathLike[str]) -> Path:
    path = Path(path)
    if path.suffix != ".lmdb":
        raise InputError(f"{path}: the name of an LMDB must end in .lmdb")
    return path


def _encode_key(key: str, path: Path) -> bytes:
    encoded = key.encode("utf-8")
    if not 1 <= len(encoded) <= _LONGEST_KEY or "\n" in key or "\r" in key:
        raise InputError(
            f"{path}: a key must be one line of 1 to {_LONGEST_KEY} bytes, received {key!r}"
        )
    return encoded
