"""Image files opened: formats that are read here, and no work that their size does not warrant.

A file of a few kilobytes can name a million directories, chunks or scans, or a canvas of gigabytes.
What Pillow's parsers read is counted, and what C libraries would do is estimated from the headers,
before anything is decoded. Whatever a decoder raises becomes one ValueError that names the file.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import lru_cache

import PIL.Image

from semanir_arch.data.files.camera_raw import RawFile, open_raw
from semanir_arch.data.files.directories import check_directories, embedded_directories
from semanir_arch.data.files.extra_formats import ExtraFormat, extra_format, require
from semanir_arch.data.files.foreign_files import name_of_foreign
from semanir_arch.data.files.heic import check_extents, open_heic
from semanir_arch.data.files.parts import PNG_SIGNATURE, png_chunks
from semanir_arch.data.files.tiff_directories import full_picture_first
from semanir_arch.utils.errors import InputError

__all__ = ["DECODER_ERRORS", "LEAST_SIDE", "Opened", "opened", "read_size"]

# not all that Pillow knows: EPS would start Ghostscript, and others have no signature
_READABLE_FORMATS = (
    "PNG", "JPEG", "MPO", "TIFF", "WEBP", "BMP", "DIB", "GIF", "PPM", "JPEG2000", "AVIF",
)  # fmt: skip

DECODER_ERRORS: tuple[type[Exception], ...] = (Exception,)
"""Errors that decoders raise on damaged files: anything; seen were 19 types, RuntimeError among
them."""

# no format but bilevel and WebP packs more than a thousand pixels into a byte
_ALWAYS_ALLOWED_PIXELS, _PIXELS_PER_BYTE = 2**24, 1000

_LARGEST_PIXELS = 178_956_970
"""Twice `PIL.Image.MAX_IMAGE_PIXELS`, at which Pillow refuses."""

LEAST_SIDE = 64
"""Side to which networks pad: a line of one pixel is as much work as one of these."""

# A parser needs a read for each of its parts; sound files have kilobytes between two reads.
_ALWAYS_ALLOWED_READS, _BYTES_PER_READ = 50_000, 64
_ALWAYS_ALLOWED_BYTES, _TIMES_READ = 2**24, 4

_READS_BYTES = ("BMP", "DIB")
"""Formats whose decoder in Pillow reads byte by byte, each once."""

_LARGEST_SCANS = 64
"""Most scans of a progressive JPEG file; encoders make about 20, and each reads all blocks."""

_JPEG_START = b"\xff\xd8\xff"
# ITU-T T.81, B.1.1.3: neither a stuffed zero nor a restart nor filling follows
_JPEG_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_JPEG_START_OF_SCAN, _JPEG_END = 0xDA, 0xD9
_JPEG_WITHOUT_LENGTH = (0x01, *range(0xD0, 0xD9))

_TIFF_TILE_SIDES = (322, 323)
# TIFF 6.0, section 8
_TIFF_KIND, _TIFF_REDUCED = 254, 1


_NOT_FIRST = "begins with a small copy; the full picture behind it is read, with its own metadata"
_NO_FORMAT = "has an unsupported format or pixel type, or is damaged at its beginning"


@dataclass(frozen=True)
class Opened:
    """An image file of which the header was read.

    Args:
        file: Decoder of the file.
        data: Contents of the file; if a TIFF file begins with a small copy, they begin elsewhere.
        notes: Parts that are not read, in words.
    """

    file: PIL.Image.Image | RawFile
    data: bytes
    notes: tuple[str, ...] = ()


@contextmanager
def opened(data: bytes, name: str) -> Iterator[Opened]:
    """Open an image file; its header is read, its pixels are not.

    Args:
        data: The contents of the file.
        name: Name of the file in messages.

    Yields:
        Opened file. Everything that is raised within the `with` block counts as a decoder's error.

    Raises:
        ValueError: It is of no format that is read here, damaged, or would take more time or memory
            than a file of its size may.
    """
    if not data:
        raise InputError(f"{name}: the file is empty")
    extra = None
    try:
        extra = extra_format(data)
        with _OPENERS[extra](data) as found:
            yield found
    except PIL.UnidentifiedImageError as error:
        reason = name_of_foreign(data) or _NO_FORMAT
        raise InputError(f"{name}: cannot be read as an image: it {reason}") from error
    except DECODER_ERRORS as error:
        foreign = name_of_foreign(data) if extra is None else None
        reason = _reason(error) if foreign is None else f"it {foreign}"
        raise InputError(f"{name}: cannot be read as an image: {reason}") from error


@contextmanager
def _open_ordinary(data: bytes) -> Iterator[Opened]:
    _check_contents(data)
    chosen = full_picture_first(data)
    notes = () if chosen is data else (_NOT_FIRST,)
    stream = _Metered(chosen)
    with PIL.Image.open(stream, formats=_readable_formats()) as file:
        stream.lifted = file.format in _READS_BYTES
        _check_picture(file, len(data))
        yield Opened(file, chosen, notes)


@contextmanager
def _open_heic(data: bytes) -> Iterator[Opened]:
    require(ExtraFormat.HEIC)
    _check_contents(data)
    check_extents(data)
    with open_heic(_Metered(data)) as file:
        _check_size(file.size, file.width * file.height, len(data))
        yield Opened(file, data)


@contextmanager
def _open_raw(data: bytes) -> Iterator[Opened]:
    require(ExtraFormat.RAW)
    with open_raw(data) as file:
        _check_size(file.size, file.stored_pixels, len(data))
        yield Opened(file, data)


_OPENERS: dict[ExtraFormat | None, Callable[[bytes], AbstractContextManager[Opened]]] = {
    None: _open_ordinary,
    ExtraFormat.HEIC: _open_heic,
    ExtraFormat.RAW: _open_raw,
}


def read_size(data: bytes, name: str) -> tuple[int, int]:
    """Width and height in pixels, as the header gives them.

    Raises:
        ValueError: As `opened`.
    """
    with opened(data, name) as found:
        return found.file.size


class _Metered(io.BytesIO):
    """The contents of a file, which give out when a parser reads far more often than it need.

    Args:
        data: The contents.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.lifted = False
        self._size = len(data)
        self._reads = _ALWAYS_ALLOWED_READS + len(data) // _BYTES_PER_READ
        self._bytes = _ALWAYS_ALLOWED_BYTES + len(data) * _TIMES_READ

    def read(self, size: int | None = -1, /) -> bytes:
        """Read, and count it."""
        part = super().read(size)
        self._reads -= 1
        self._bytes -= len(part)
        if (self._reads < 0 or self._bytes < 0) and not self.lifted:
            raise InputError(f"has more parts than a file of {self._size} bytes may have")
        return part


@lru_cache(maxsize=1)
def _readable_formats() -> tuple[str, ...]:
    # an older Pillow may lack one
    PIL.Image.init()
    return tuple(name for name in _READABLE_FORMATS if name in PIL.Image.OPEN)


def _reason(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "not enough memory"
    return " ".join(str(error).split()) or type(error).__name__


def _check_contents(data: bytes) -> None:
    """Refuse what C libraries would take too long for, or reserve too much."""
    if data.startswith(PNG_SIGNATURE):
        # a file that ends too early: OpenCV reserves what a chunk promises
        for _ in png_chunks(data):
            pass
    elif data.startswith(_JPEG_START):
        _check_jpeg(data)
    if not data.startswith((b"II", b"MM")):
        # those of TIFF files are read through the meter, these from memory
        for block in embedded_directories(data):
            check_directories(block)


def _check_picture(file: PIL.Image.Image, size: int) -> None:
    """Refuse a header that makes the decoder reserve gigabytes for a few bytes of picture.

    Also one that names a small copy of another picture: nobody means that.
    """
    tags = getattr(file, "tag_v2", {})
    if tags.get(_TIFF_KIND, 0) & _TIFF_REDUCED:
        # BigTIFF, of which only the first picture is looked at
        raise InputError("its first picture is a small copy of another, which is not read")
    tile = math.prod(tags.get(tag, 1) for tag in _TIFF_TILE_SIDES)
    if file.mode == "1":
        # packed so tightly that its size says nothing
        size = _LARGEST_PIXELS
    _check_size(file.size, max(file.width * file.height, tile), size)
    if tile > _LARGEST_PIXELS:
        raise _too_many(file.size)


def _check_size(sides: tuple[int, int], pixels: int, size: int) -> None:
    """Refuse too many pixels, and more than a file of so many bytes can hold.

    Args:
        sides: Width and height of the picture.
        pixels: Number of pixels that the decoder reserves.
        size: Size of the file in bytes.
    """
    width, height = sides
    if pixels > max(_ALWAYS_ALLOWED_PIXELS, _PIXELS_PER_BYTE * size):
        raise InputError(f"{width} x {height} pixels cannot be in {size} bytes")
    if math.prod(max(side, LEAST_SIDE) for side in sides) > _LARGEST_PIXELS:
        raise _too_many(sides)


def _too_many(sides: tuple[int, int]) -> InputError:
    return InputError(
        f"{sides[0]} x {sides[1]} pixels are too many; allowed: "
        f"{_LARGEST_PIXELS // 1_000_000} megapixels, where a side counts as {LEAST_SIDE} at least"
    )


def _check_jpeg(data: bytes) -> None:
    """Refuse a file with many passes over the picture, or with many segments."""
    scans, segments, position = 0, 0, 2
    allowed = _ALWAYS_ALLOWED_READS + len(data) // _BYTES_PER_READ
    while found := _JPEG_MARKER.search(data, position):
        marker, position = data[found.start() + 1], found.end()
        if marker == _JPEG_END:
            return
        segments += 1
        scans += marker == _JPEG_START_OF_SCAN
        if marker not in _JPEG_WITHOUT_LENGTH:
            position += int.from_bytes(data[position : position + 2], "big")
        if scans > _LARGEST_SCANS or segments > allowed:
            raise InputError(
                f"has {scans} scans and {segments} segments; allowed: {_LARGEST_SCANS} scans, "
                f"{allowed} segments"
            )
