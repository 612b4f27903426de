"""Color profiles made from primaries and a tone curve (ICC.1:2022, version 4 of the format).

Files may describe their colors by numbers instead of a profile; a profile says the same in every
format that is written here. Primaries are adapted to the profile's white point (D50) by the linear
Bradford method, as the specification asks (annex E).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semanir_arch.utils.errors import InputError

__all__ = [
    "ADOBE_RGB",
    "BT709",
    "D65",
    "SRGB_CURVE",
    "Primaries",
    "ToneCurve",
    "color_from_gray",
    "make_profile",
]

D65 = (0.3127, 0.3290)
_D50_XYZ = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_TAG_TABLE = 132


@dataclass(frozen=True)
class Primaries:
    """Chromaticities (CIE 1931 x and y).

    Args:
        red: Chromaticity of full red.
        green: Chromaticity of full green.
        blue: Chromaticity of full blue.
        white: Chromaticity of the brightest white.
    """

    red: tuple[float, float]
    green: tuple[float, float]
    blue: tuple[float, float]
    white: tuple[float, float] = D65


@dataclass(frozen=True)
class ToneCurve:
    """Curve from stored values to light, both in [0, 1].

    Args:
        gamma: Exponent.
        linear: (a, b, c, d) of `(a x + b) ** gamma` from d on, `c x` below (ICC.1, 10.18, type
            3); None for `x ** gamma` alone.
        table: Light at equal steps, 0 to 65535, in place of both.
    """

    gamma: float = 1.0
    linear: tuple[float, float, float, float] | None = None
    table: tuple[int, ...] = ()


BT709 = Primaries((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
"""ITU-R BT.709-6, item 1.3; those of sRGB too."""

ADOBE_RGB = Primaries((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
"""Adobe RGB (1998), 4.3.1.1."""

SRGB_CURVE = ToneCurve(2.4, (1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
"""IEC 61966-2-1, 5.2."""


def make_profile(primaries: Primaries, curve: ToneCurve, name: str, *, gray: bool) -> bytes:
    """A display profile.

    Args:
        primaries: Primaries of RGB; for gray only the white counts.
        curve: Tone curve of all channels.
        name: Name that programs show, ASCII.
        gray: Whether the image has one channel.

    Raises:
        ValueError: The primaries enclose no colors.
    """
    return _make(primaries, _curve(curve), name, gray=gray)


def color_from_gray(profile: bytes) -> bytes | None:
    """A profile for three equal channels that says what one for gray says; None without a curve."""
    if len(profile) < _TAG_TABLE or profile[16:20] != b"GRAY":
        return None
    (count,) = struct.unpack_from(">I", profile, 128)
    for place in range(_TAG_TABLE, min(_TAG_TABLE + 12 * count, len(profile) - 11), 12):
        kind, start, length = struct.unpack_from(">4sII", profile, place)
        curve = profile[start : start + length]
        if kind == b"kTRC" and curve[:4] in (b"curv", b"para") and len(curve) == length >= 12:
            return _make(BT709, curve, "from a profile for gray", gray=False)
    return None


def _make(primaries: Primaries, curve: bytes, name: str, *, gray: bool) -> bytes:
    white = _xyz(primaries.white)
    adapt = _adaptation(white)
    tags: list[tuple[bytes, bytes]] = [
        (b"desc", _text(name)),
        (b"cprt", _text("no copyright")),
        (b"wtpt", _numbers(b"XYZ ", _D50_XYZ)),
        (b"chad", _numbers(b"sf32", adapt.ravel())),
    ]
    if gray:
        tags.append((b"kTRC", curve))
    else:
        colors = np.stack([_xyz(xy) for xy in (primaries.red, primaries.green, primaries.blue)], 1)
        if abs(np.linalg.det(colors)) < 1e-6:
            raise InputError("the primaries of its colors enclose nothing")
        matrix = adapt @ (colors * np.linalg.solve(colors, white))
        if np.abs(matrix).max() > 8:
            raise InputError("the primaries of its colors make no sense")
        tags += [
            (kind, _numbers(b"XYZ ", matrix[:, i]))
            for i, kind in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))
        ]
        tags += [(kind, curve) for kind in (b"rTRC", b"gTRC", b"bTRC")]
    return _assemble(tags, b"GRAY" if gray else b"RGB ")


def _xyz(chromaticity: tuple[float, float]) -> NDArray[np.float64]:
    x, y = chromaticity
    if not (0 < y <= 1 and 0 <= x <= 1):
        raise InputError(f"no color has the chromaticity ({x:g}, {y:g})")
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _adaptation(white: NDArray[np.float64]) -> NDArray[np.float64]:
    scale = (_BRADFORD @ _D50_XYZ) / (_BRADFORD @ white)
    return np.linalg.solve(_BRADFORD, scale[:, None] * _BRADFORD)


def _fixed(value: float) -> bytes:
    """A number of 16 bits before and 16 behind the point."""
    return struct.pack(">i", round(float(value) * 65536))


def _numbers(kind: bytes, values: NDArray[np.float64]) -> bytes:
    return kind + bytes(4) + b"".join(map(_fixed, values))


def _text(text: str) -> bytes:
    encoded = text.encode("utf-16-be")
    return b"mluc" + bytes(4) + struct.pack(">II4sII", 1, 12, b"enUS", len(encoded), 28) + encoded


def _curve(curve: ToneCurve) -> bytes:
    if curve.table:
        count = len(curve.table)
        return b"curv" + bytes(4) + struct.pack(f">I{count}H", count, *curve.table)
    if curve.linear is None:
        return b"para" + bytes(4) + struct.pack(">HH", 0, 0) + _fixed(curve.gamma)
    return (
        b"para"
        + bytes(4)
        + struct.pack(">HH", 3, 0)
        + b"".join(map(_fixed, (curve.gamma, *curve.linear)))
    )


def _assemble(tags: list[tuple[bytes, bytes]], space: bytes) -> bytes:
    place = _TAG_TABLE + 12 * len(tags)
    table, body, places = b"", b"", dict[bytes, int]()
    for kind, content in tags:
        # equal contents are stored once, as ICC.1, 7.3.1 allows
        if content not in places:
            places[content] = place + len(body)
            body += content + bytes(-len(content) % 4)
        table += struct.pack(">4sII", kind, places[content], len(content))
    size = place + len(body)
    header = struct.pack(
        ">I4sI4s4s4s12s4s4sI4s4sQI12s",
        *(size, b"\0\0\0\0", 0x04400000, b"mntr", space, b"XYZ "),
        # a fixed date: equal descriptions make equal files
        struct.pack(">6H", 2026, 1, 1, 0, 0, 0),
        *(b"acsp", b"\0\0\0\0", 0, b"\0\0\0\0", b"\0\0\0\0", 0, 0),
        b"".join(map(_fixed, _D50_XYZ)),
    )
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body
