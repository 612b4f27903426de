"""Metadata put into encoded PNG and TIFF files, which are written without them.

OpenCV encodes PNG fast and both formats with 16 bits, but embeds nothing.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import PIL.Image

from semanir_arch.data.files.image_metadata import Metadata, exif_for
from semanir_arch.utils.errors import InputError

__all__ = ["with_png_metadata", "with_tiff_metadata"]

# Signature (8 bytes) and header chunk (25): a color profile must come before the pixels.
_PNG_AFTER_HEADER = 33
_METRES_PER_INCH = 0.0254

# TIFF 6.0, section 8; XMP specification, part 3, 1.1.5; ICC.1, B.4.
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT, _XMP, _ICC_PROFILE = 282, 283, 296, 700, 34675
_INCH = 2
_TIFF_HEADER = b"II*\0"
_TIFF_ENTRY = 12

# What `PIL.Image.Exif.tobytes` puts in front of the directory: a name, and a header of its own.
_EXIF_NAME, _BEFORE_DIRECTORY = 6, 14


def with_png_metadata(data: bytes, metadata: Metadata, shape: tuple[int, ...]) -> bytes:
    """Insert cICP, iCCP or sRGB, pHYs, eXIf and iTXt chunks (PNG, third edition, 11.3).

    Args:
        data: A PNG file.
        metadata: Metadata to insert.
        shape: Shape of the image, (H, W, C).
    """
    chunks = b"".join(_png_chunk(name, body) for name, body in _png_bodies(metadata, shape))
    if not chunks:
        return data
    return b"".join((data[:_PNG_AFTER_HEADER], chunks, memoryview(data)[_PNG_AFTER_HEADER:]))


def _png_bodies(metadata: Metadata, shape: tuple[int, ...]) -> Iterator[tuple[bytes, bytes]]:
    if metadata.cicp is not None:
        # RGB, full range
        yield b"cICP", bytes([*metadata.cicp, 0, 1])
    if metadata.icc_profile is not None:
        yield b"iCCP", b"profile\0\0" + zlib.compress(metadata.icc_profile)
    elif metadata.srgb_intent is not None:
        yield b"sRGB", bytes([metadata.srgb_intent])
    if metadata.dpi is not None:
        horizontal, vertical = (round(value / _METRES_PER_INCH) for value in metadata.dpi)
        yield b"pHYs", struct.pack(">IIB", horizontal, vertical, 1)
    exif = exif_for(metadata, shape[1], shape[0])
    if exif is not None:
        yield b"eXIf", exif.tobytes()[_EXIF_NAME:]
    if metadata.xmp is not None:
        # not compressed, no language, no translated keyword
        yield b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp


def _png_chunk(name: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(body, zlib.crc32(name))
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", checksum)


def with_tiff_metadata(data: bytes, metadata: Metadata, shape: tuple[int, ...]) -> bytes:
    """Give a TIFF file a new directory with further tags, at its end.

    Args:
        data: A little-endian file with one page, as OpenCV and Pillow write it.
        metadata: Metadata to insert.
        shape: Shape of the image, (H, W, C).
    """
    tags = _tiff_tags(metadata, shape)
    if not len(tags):
        return data
    if not data.startswith(_TIFF_HEADER):
        raise InputError("metadata can be put into little-endian TIFF files only")
    # values and directories begin at even places
    data += b"\0" * (len(data) % 2)
    own = _tiff_entries(data, struct.unpack_from("<I", data, 4)[0])
    added = tags.tobytes(offset=len(data))[_BEFORE_DIRECTORY:]
    merged = own | _tiff_entries(added, 0)
    padding = b"\0" * (len(added) % 2)
    place = len(data) + len(added) + len(padding)
    directory = b"".join(merged[tag] for tag in sorted(merged))
    return b"".join(
        (
            _TIFF_HEADER,
            struct.pack("<I", place),
            memoryview(data)[8:],
            added,
            padding,
            struct.pack("<H", len(merged)),
            directory,
            struct.pack("<I", 0),
        )
    )


def _tiff_tags(metadata: Metadata, shape: tuple[int, ...]) -> PIL.Image.Exif:
    tags = exif_for(metadata, shape[1], shape[0]) or PIL.Image.Exif()
    tags.endian = "<"
    if metadata.icc_profile is not None:
        tags[_ICC_PROFILE] = metadata.icc_profile
    if metadata.xmp is not None:
        tags[_XMP] = metadata.xmp
    if metadata.dpi is not None:
        tags[_X_RESOLUTION], tags[_Y_RESOLUTION] = metadata.dpi
        tags[_RESOLUTION_UNIT] = _INCH
    return tags


def _tiff_entries(data: bytes, place: int) -> dict[int, bytes]:
    """The entries of a directory by their tags (TIFF 6.0, section 2)."""
    (count,) = struct.unpack_from("<H", data, place)
    starts = range(place + 2, place + 2 + count * _TIFF_ENTRY, _TIFF_ENTRY)
    entries = [data[start : start + _TIFF_ENTRY] for start in starts]
    return {struct.unpack_from("<H", entry)[0]: entry for entry in entries}
