"""What a file says about its colors other than by a profile, as a profile or in a note.

| format | where |
| --- | --- |
| PNG | chunks cICP, sRGB, cHRM and gAMA, in this order (PNG specification, third edition, 4.3) |
| AVIF, HEIC | box colr of type nclx (ISO/IEC 23000-22; codes of ITU-T H.273) |
| JPEG 2000 | box colr: a profile, or a number (ISO/IEC 15444-1, I.5.3.3; 15444-2, M.11.7.3) |
| BMP | headers of version 4 and 5: primaries and gammas, or a profile |
| GIF | application block ICCRGBG1 |
| TIFF, EXIF | primaries, white point, transfer function, gamma; Adobe RGB by interoperability R03 |

Pictures of high dynamic range (PQ and HLG) get a note: networks here know ordinary ones.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import PIL.Image
from PIL.ExifTags import IFD

from semanir_arch.data.files.parts import boxes, png_header_chunks
from semanir_arch.data.files.profiles import (
    ADOBE_RGB,
    BT709,
    SRGB_CURVE,
    Primaries,
    ToneCurve,
    make_profile,
)
from semanir_arch.utils.errors import InputError

__all__ = ["Colors", "read_colors"]


@dataclass(frozen=True)
class Colors:
    """Color description of a file.

    Args:
        profile: An ICC profile, found or made; None: the colors are sRGB, or nothing is said.
        srgb_intent: Rendering intent of PNG's chunk sRGB, 0 to 3; None where there is none.
        cicp: Primaries and transfer in codes of H.273, where no profile can say the same.
        notes: Facts that could not be kept, in words.
    """

    profile: bytes | None = None
    srgb_intent: int | None = None
    cicp: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()


_ILLUMINANT_C = (0.310, 0.316)
_DCI_WHITE = (0.314, 0.351)
_CODED_PRIMARIES = {
    1: BT709,
    4: Primaries((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), _ILLUMINANT_C),
    5: Primaries((0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),
    6: Primaries((0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    7: Primaries((0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    8: Primaries((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), _ILLUMINANT_C),
    9: Primaries((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    11: Primaries((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _DCI_WHITE),
    12: Primaries((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    22: Primaries((0.630, 0.340), (0.295, 0.605), (0.155, 0.077)),
}
"""ITU-T H.273, table 2."""

_BT709_CURVE = ToneCurve(1 / 0.45, (1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081))
_SMPTE240_CURVE = ToneCurve(1 / 0.45, (1 / 1.1115, 0.1115 / 1.1115, 1 / 4.0, 0.0912))
_CODED_CURVES = {
    **dict.fromkeys((1, 6, 14, 15), _BT709_CURVE),
    4: ToneCurve(2.2),
    5: ToneCurve(2.8),
    7: _SMPTE240_CURVE,
    8: ToneCurve(1.0),
    13: SRGB_CURVE,
}
"""ITU-T H.273, table 3, turned round."""

_UNSPECIFIED, _SRGB_TRANSFER = 2, 13
_HDR = {16: "PQ", 18: "HLG"}
_HDR_NOTE = "is of high dynamic range ({}); networks here know ordinary pictures (SDR)"
_HDR_KEPT = ", and only PNG keeps this description"

_ADOBE_GAMMA = 563 / 256
_EXIF_COLOR_SPACE, _EXIF_GAMMA, _EXIF_ADOBE, _EXIF_UNCALIBRATED = 40961, 42240, 2, 65535
_INTEROP_INDEX = 1
_TIFF_TRANSFER, _TIFF_WHITE, _TIFF_PRIMARIES = 301, 318, 319

_DAMAGED = "has a damaged color description, which is dropped"


def read_colors(file: PIL.Image.Image, data: bytes, exif: PIL.Image.Exif) -> Colors:
    """Find the description that counts.

    Args:
        file: File opened by Pillow.
        data: Contents of the file.
        exif: EXIF data of the file; for a TIFF file its tags.
    """
    gray = len(file.getbands()) <= 2 and file.mode not in ("P", "PA")
    own = _FORMATS.get(file.format or "", _nothing)
    profile = file.info.get("icc_profile")
    try:
        found = _from_heic(file.info, gray) if file.format == "HEIF" else own(data, gray)
    except (struct.error, ValueError, IndexError):
        found = Colors(notes=(_DAMAGED,))
    overrides = file.format == "PNG" and found != Colors() and found.notes != (_DAMAGED,)
    if profile is not None and not overrides:
        transfer = _profile_transfer(profile)
        notes = (_HDR_NOTE.format(_HDR[transfer]),) if transfer in _HDR else ()
        return Colors(profile, notes=(*found.notes, *notes) if file.format == "PNG" else notes)
    if found != Colors():
        return found
    try:
        return _from_exif(exif, gray)
    except (struct.error, ValueError, IndexError, TypeError, ZeroDivisionError, OverflowError):
        return Colors(notes=(_DAMAGED,))


def _nothing(data: bytes, gray: bool) -> Colors:  # noqa: ARG001
    return Colors()


def _coded(primaries: int, transfer: int, *, gray: bool) -> Colors:
    """Colors of H.273's codes."""
    if transfer in _HDR:
        note = _HDR_NOTE.format(_HDR[transfer]) + _HDR_KEPT
        return Colors(cicp=(primaries, transfer), notes=(note,))
    if primaries == _UNSPECIFIED and transfer == _UNSPECIFIED:
        return Colors()
    # what is not said is as in sRGB
    known = _CODED_PRIMARIES.get(1 if primaries == _UNSPECIFIED else primaries)
    curve = _CODED_CURVES.get(_SRGB_TRANSFER if transfer == _UNSPECIFIED else transfer)
    if known is None or curve is None:
        code = f"code {primaries}/{transfer} of H.273"
        return Colors(notes=(f"describes its colors as {code}, which is not kept",))
    if known == BT709 and curve == SRGB_CURVE:
        return Colors(srgb_intent=0)
    return Colors(make_profile(known, curve, f"H.273 {primaries}/{transfer}", gray=gray))


def _from_png(data: bytes, gray: bool) -> Colors:
    chunks = png_header_chunks(data)
    if len(code := chunks.get(b"cICP", b"")) >= 2:
        coded = _coded(code[0], code[1], gray=gray)
        if coded != Colors():
            return coded
    if b"iCCP" in chunks:
        return Colors()
    if intent := chunks.get(b"sRGB"):
        return Colors(srgb_intent=min(intent[0], 3))
    gamma, corners = chunks.get(b"gAMA"), chunks.get(b"cHRM")
    if gamma is None and corners is None:
        return Colors()
    curve, primaries = SRGB_CURVE, BT709
    if gamma is not None:
        curve = ToneCurve(_checked_gamma(100_000 / max(struct.unpack_from(">I", gamma)[0], 1)))
    if corners is not None:
        x = [value / 100_000 for value in struct.unpack_from(">8I", corners)]
        primaries = Primaries((x[2], x[3]), (x[4], x[5]), (x[6], x[7]), (x[0], x[1]))
    return Colors(make_profile(primaries, curve, "from PNG chunks", gray=gray))


def _checked_gamma(gamma: float) -> float:
    if not 0.1 <= gamma <= 10:
        raise InputError(f"gamma {gamma:g} makes no sense")
    return gamma


def _from_avif(data: bytes, gray: bool) -> Colors:
    for kind, start, stop in boxes(data):
        place = -1 if kind == b"mdat" else data.find(b"colrnclx", start, stop)
        if place >= 0:
            primaries, transfer = struct.unpack_from(">HH", data, place + 8)
            return _coded(primaries, transfer, gray=gray)
    return Colors()


def _from_heic(info: dict[Any, Any], gray: bool) -> Colors:
    """Colors as pillow-heif found them for the main picture."""
    codes = info.get("nclx_profile")
    if codes is None:
        return Colors()
    return _coded(codes["color_primaries"], codes["transfer_characteristics"], gray=gray)


_JP2_KNOWN = (16, 17, 18)
"""sRGB, gray and YCC of sRGB (ISO/IEC 15444-1, table I.10)."""


def _from_jpeg_2000(data: bytes, gray: bool) -> Colors:  # noqa: ARG001
    header = next(((a, b) for kind, a, b in boxes(data) if kind == b"jp2h"), (0, 0))
    number = None
    for kind, start, stop in boxes(data, *header):
        if kind != b"colr" or header == (0, 0):
            continue
        method = data[start]
        if method in (2, 3):
            return Colors(data[start + 3 : stop])
        if method == 1 and number is None:
            (number,) = struct.unpack_from(">I", data, start + 3)
    if number is None or number in _JP2_KNOWN:
        return Colors()
    return Colors(notes=(f"describes its colors as number {number}, which is not kept",))


def _from_bmp(data: bytes, gray: bool) -> Colors:
    (size,) = struct.unpack_from("<I", data, 14)
    if size < 108:
        return Colors()
    # signatures are stored with their last letter first
    kind = data[70:74][::-1]
    if kind in (b"MBED", b"LINK") and size >= 124:
        place, length = struct.unpack_from("<II", data, 14 + 112)
        profile = data[14 + place : 14 + place + length]
        if kind == b"MBED" and len(profile) == length > 128:
            return Colors(profile)
        return Colors(notes=("names a color profile that is not in it, and is left out",))
    numbers = struct.unpack_from("<9I3I", data, 74)
    if kind != bytes(4) or not all(numbers[:9]):
        return Colors()
    xyz = [[value / 2**30 for value in numbers[i : i + 3]] for i in (0, 3, 6)]
    white = [sum(column) for column in zip(*xyz, strict=True)]
    red, green, blue, shine = ((v[0] / sum(v), v[1] / sum(v)) for v in (*xyz, white))
    gamma = _checked_gamma(sum(numbers[9:]) / 3 / 65536)
    primaries = Primaries(red, green, blue, shine)
    return Colors(make_profile(primaries, ToneCurve(gamma), "from a BMP header", gray=gray))


def _from_gif(data: bytes, gray: bool) -> Colors:  # noqa: ARG001
    place = data.find(b"\x21\xff\x0bICCRGBG1012")
    if place < 0:
        return Colors()
    place, parts = place + 14, list[bytes]()
    while length := data[place]:
        parts.append(data[place + 1 : place + 1 + length])
        place += 1 + length
    return Colors(b"".join(parts))


_FORMATS: dict[str, Callable[[bytes, bool], Colors]] = {
    "PNG": _from_png,
    "AVIF": _from_avif,
    "JPEG2000": _from_jpeg_2000,
    "BMP": _from_bmp,
    "GIF": _from_gif,
}


def _from_exif(exif: PIL.Image.Exif, gray: bool) -> Colors:
    own = exif.get_ifd(IFD.Exif)
    corners, table = exif.get(_TIFF_PRIMARIES), exif.get(_TIFF_TRANSFER)
    white, gamma, space = exif.get(_TIFF_WHITE), own.get(_EXIF_GAMMA), own.get(_EXIF_COLOR_SPACE)
    index = exif.get_ifd(IFD.Interop).get(_INTEROP_INDEX, "") if IFD.Interop in own else ""
    if str(index).startswith("R03") or space == _EXIF_ADOBE:
        return Colors(
            make_profile(ADOBE_RGB, ToneCurve(_ADOBE_GAMMA), "Adobe RGB (1998)", gray=gray)
        )
    if corners is not None or table is not None or gamma is not None:
        primaries = _exif_primaries(corners, white)
        curve = _exif_curve(table, gamma)
        return Colors(make_profile(primaries, curve, "from TIFF tags", gray=gray))
    if space == _EXIF_UNCALIBRATED:
        return Colors(notes=("says that its colors are not those of sRGB, but not which",))
    return Colors()


def _exif_primaries(corners: Any, white: Any) -> Primaries:
    shine = BT709.white if white is None else (float(white[0]), float(white[1]))
    if corners is None:
        return Primaries(BT709.red, BT709.green, BT709.blue, shine)
    x = [float(value) for value in corners]
    return Primaries((x[0], x[1]), (x[2], x[3]), (x[4], x[5]), shine)


def _exif_curve(table: Any, gamma: Any) -> ToneCurve:
    if gamma is not None:
        return ToneCurve(_checked_gamma(float(gamma)))
    # one table, or three after each other, of 2 to the power of the bits (TIFF 6.0, section 20)
    values = tuple(table or ())
    count = len(values) // 3 if len(values) >= 3 and math.log2(len(values)) % 1 else len(values)
    if count < 2:
        # the default of TIFF 6.0
        return ToneCurve(2.2)
    return ToneCurve(table=values[:count])


def _profile_transfer(profile: bytes) -> int:
    """Transfer code in a profile's tag cicp (ICC.1:2022, 10.3); 0 where there is none."""
    if len(profile) < 132:
        return 0
    (count,) = struct.unpack_from(">I", profile, 128)
    for place in range(132, min(132 + 12 * min(count, 200), len(profile) - 11), 12):
        kind, start, length = struct.unpack_from(">4sII", profile, place)
        if kind == b"cicp" and length >= 12 and start + 12 <= len(profile):
            return profile[start + 9]
    return 0
