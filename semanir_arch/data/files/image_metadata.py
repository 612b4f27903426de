"""What a file says about its picture besides the pixels, as far as a new version may keep it.

Kept: the color profile; descriptions, rights and camera data of EXIF with the GPS position; XMP;
the resolution in dots per inch. Left out, because they would contradict the new pixels: the
camera's orientation (images are read upright), thumbnails, the layout of the old file, and what XMP
says of gain maps, films and sizes. Colors described by numbers become a profile (`files.colors`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import PIL.Image
from PIL.ExifTags import IFD

from semanir_arch.data.files.bounds import DECODER_ERRORS
from semanir_arch.data.files.camera_raw import RawFile
from semanir_arch.data.files.colors import Colors, read_colors
from semanir_arch.data.files.directories import read_exif
from semanir_arch.data.files.profiles import color_from_gray
from semanir_arch.data.files.xmp import current_xmp

__all__ = ["Metadata", "exif_for", "fit_to_format", "read_metadata", "read_raw_metadata"]

# Descriptions, maker, software, dates, people and rights (EXIF 2.3, table 4; Windows' XP tags).
_KEPT_TAGS = (270, 271, 272, 305, 306, 315, 316, 18246, 18249, 33432, *range(40091, 40096))

# A place within the old file, and its width and height (EXIF 2.3, 4.6.3).
_INTEROP = 40965
_PIXEL_SIDES = (40962, 40963)
# places in pixels of the old picture: area and location of the subject
_PLACES = (37396, 41492)

# A segment of a JPEG file, less its length field and the longest of the names in front.
_JPEG_SEGMENT = 65_500

_COLOR_SPACES = {b"GRAY": (1, 2), b"RGB ": (3, 4)}
"""Signature in a color profile (ICC.1, 7.2.6) -> channels of the images it describes."""


@dataclass(frozen=True)
class Metadata:
    """Metadata that goes with an image from file to file.

    Args:
        icc_profile: Color profile.
        exif: EXIF data as `PIL.Image.Exif.tobytes` writes them, beginning with `Exif`; upright, no
            thumbnail.
        xmp: The XMP packet, upright.
        dpi: Horizontal and vertical resolution in dots per inch.
        srgb_intent: Rendering intent of PNG's chunk sRGB, 0 to 3; None where there is none.
        cicp: Primaries and transfer in codes of ITU-T H.273, for PNG's chunk cICP; None: no chunk.
    """

    icc_profile: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    srgb_intent: int | None = None
    cicp: tuple[int, int] | None = None


def read_metadata(
    file: PIL.Image.Image, data: bytes, orientation: int
) -> tuple[Metadata, tuple[str, ...]]:
    """Take from an opened file what may be kept.

    Args:
        file: File opened by Pillow, and loaded.
        data: Contents of the file.
        orientation: Orientation of the camera, 1 to 8; the pixels are turned by it.

    Returns:
        Metadata to keep; and notes on what cannot be kept.
    """
    notes: list[str] = []
    try:
        exif = read_exif(file)
        kept = _keep_exif(exif)
    except DECODER_ERRORS:
        exif, kept = PIL.Image.Exif(), None
        notes.append("its EXIF data are damaged and left out")
    # the profile of a CMYK file describes inks, not the RGB picture made of them
    colors = Colors() if file.mode == "CMYK" else read_colors(file, data, exif)
    xmp = file.info.get("xmp") or file.info.get("XML:com.adobe.xmp")
    packet, said = current_xmp(xmp, turned=orientation != 1) if xmp else (None, ())
    metadata = Metadata(
        icc_profile=colors.profile,
        exif=kept,
        xmp=packet,
        dpi=_checked_dpi(file.info.get("dpi")),
        srgb_intent=colors.srgb_intent,
        cicp=colors.cicp,
    )
    return metadata, (*notes, *colors.notes, *said)


def read_raw_metadata(file: RawFile) -> tuple[Metadata, tuple[str, ...]]:
    """Take from a camera raw file what may be kept: EXIF, of files with TIFF's directories.

    XMP is left out: it tells programs how to develop the file.

    Returns:
        Metadata to keep; and notes on what cannot be kept.
    """
    try:
        exif = file.exif()
        kept = None if exif is None else _keep_exif(exif)
    except DECODER_ERRORS:
        return Metadata(srgb_intent=0), ("its EXIF data are damaged and left out",)
    notes = () if exif is not None else ("the EXIF data of this kind of raw file are not kept",)
    return Metadata(exif=kept, srgb_intent=0), notes


def fit_to_format(metadata: Metadata, file_format: str, channels: int) -> Metadata:
    """Leave out what a format cannot hold, and a color profile made for other channels.

    Args:
        metadata: Metadata of the original.
        file_format: Pillow's name, such as `JPEG`.
        channels: Channels of the written image, 1 to 4.
    """
    limit = _JPEG_SEGMENT if file_format == "JPEG" else math.inf
    profile = metadata.icc_profile
    if profile is not None and channels not in _COLOR_SPACES.get(profile[16:20], (channels,)):
        profile = color_from_gray(profile) if channels >= 3 else None
    if file_format == "BMP":
        return Metadata(dpi=metadata.dpi)
    return replace(
        metadata,
        icc_profile=profile,
        exif=metadata.exif if len(metadata.exif or b"") <= limit else None,
        xmp=metadata.xmp if len(metadata.xmp or b"") <= limit else None,
    )


def exif_for(metadata: Metadata, width: int, height: int) -> PIL.Image.Exif | None:
    """EXIF data of a new image: those kept, with its size where the original named one."""
    if metadata.exif is None:
        return None
    source = PIL.Image.Exif()
    source.load(metadata.exif)
    return _copy_exif(source, (width, height))


def _keep_exif(source: PIL.Image.Exif) -> bytes | None:
    kept = _copy_exif(source)
    return kept.tobytes() if len(kept) else None


def _copy_exif(source: PIL.Image.Exif, size: tuple[int, int] | None = None) -> PIL.Image.Exif:
    """Copy what may be kept; `size` (width and height) takes the place of a size in it."""
    copy = PIL.Image.Exif()
    for tag in _KEPT_TAGS:
        value = source.get(tag)
        if value is not None:
            # as they were read: Pillow writes ASCII only, and others than English use more
            copy[tag] = value.encode("latin-1") if isinstance(value, str) else value
    for group in (IFD.Exif, IFD.GPSInfo):
        values = {
            tag: value
            for tag, value in source.get_ifd(group).items()
            if tag != _INTEROP and not (group == IFD.Exif and tag in _PLACES)
        }
        if size is not None:
            values |= {tag: size[i] for i, tag in enumerate(_PIXEL_SIDES) if tag in values}
        if values:
            copy[group] = values
    return copy


def _checked_dpi(dpi: object) -> tuple[float, float] | None:
    """The resolution, unless it is missing or nonsense."""
    if not isinstance(dpi, tuple) or len(dpi) != 2:
        return None
    try:
        horizontal, vertical = map(float, dpi)
    except (TypeError, ValueError, ArithmeticError):
        return None
    usable = all(math.isfinite(value) and 1 <= value < 2**16 for value in (horizontal, vertical))
    return (horizontal, vertical) if usable else None
