"""Formats that need a package of the extra `formats`: HEIC photos and camera raw files.

Recognised by their contents, so that no other decoder takes their preview for the photo.
"""

from __future__ import annotations

import importlib.util
from enum import Enum
from functools import cache

from semanir_arch.data.files.tiff_directories import is_raw_tiff
from semanir_arch.utils.errors import InputError

__all__ = [
    "INSTALL",
    "ExtraFormat",
    "extra_format",
    "is_installed",
    "require",
]

INSTALL = "pip install 'semanir-arch[formats]'"
"""Command that installs readers for these formats."""


class ExtraFormat(Enum):
    """A format; its value is the module that reads it."""

    HEIC = "pillow_heif"
    RAW = "rawpy"


_TEXTS = {
    ExtraFormat.HEIC: (
        "is a HEIC photo, as iPhones take them; to read it: {}; or save it as JPEG or PNG"
    ),
    ExtraFormat.RAW: "is a camera raw file; to read it: {}; or develop it to a 16-bit TIFF",
}

_RAW_BEGINNINGS = (
    *(b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM"),
    b"II\x1a\0\0\0HEAPCCDR",
)

_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs")
# of any codec: what else the file is compatible with decides
_OPEN_BRANDS = (b"mif1", b"msf1", b"mif2", b"miaf")
_AVIF_BRANDS = (b"avif", b"avis")
_RAW_BRAND = b"crx "


def extra_format(data: bytes) -> ExtraFormat | None:
    """Find which of these formats a file has; None for every other.

    Args:
        data: Contents of the file.
    """
    if data.startswith(_RAW_BEGINNINGS):
        return ExtraFormat.RAW
    if data[:2] in (b"II", b"MM"):
        return ExtraFormat.RAW if data[8:11] == b"CR\2" or is_raw_tiff(data) else None
    if data[4:8] != b"ftyp":
        return None
    # ISO/IEC 14496-12, 4.3
    brand = data[8:12]
    if brand == _RAW_BRAND:
        return ExtraFormat.RAW
    if brand in _OPEN_BRANDS:
        end = min(int.from_bytes(data[:4], "big"), 256)
        others = {data[place : place + 4] for place in range(16, end - 3, 4)}
        return None if others & {*_AVIF_BRANDS} else ExtraFormat.HEIC
    return ExtraFormat.HEIC if brand in _HEIC_BRANDS else None


@cache
def is_installed(extra: ExtraFormat) -> bool:
    """Whether the package that reads a format is there."""
    return importlib.util.find_spec(extra.value) is not None


def require(extra: ExtraFormat) -> None:
    """Refuse a format whose package is missing.

    Raises:
        ValueError: Says what the file is, and how to get what reads it.
    """
    if not is_installed(extra):
        raise InputError(f"it {_TEXTS[extra].format(INSTALL)}")
