"""Image files put together here, independently of the code that reads them."""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
import PIL.Image
import pytest

from tests.helpers import make_image


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(pixels, bits, color_type, *chunks):
    """A PNG file of rows of packed samples (bytes), with chunks (name, body) before the pixels."""
    height, width = pixels.shape[:2]
    rows = []
    for row in pixels.reshape(height, -1):
        if bits == 16:
            rows.append(b"\0" + row.astype(">u2").tobytes())
        elif bits == 8:
            rows.append(b"\0" + row.astype("u1").tobytes())
        else:
            flags = (row[:, None] >> np.arange(bits - 1, -1, -1)) & 1
            rows.append(b"\0" + np.packbits(flags.astype(np.uint8).ravel()).tobytes())
    header = struct.pack(">IIBBBBB", width, height, bits, color_type, 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            *(chunk(name, body) for name, body in chunks),
            chunk(b"IDAT", zlib.compress(b"".join(rows))),
            chunk(b"IEND", b""),
        )
    )


def plain_png(*chunks):
    return png(make_image((6, 5, 3)), 8, 2, *chunks)


def saved(file_format, mode="RGB", shape=(24, 20, 3), **settings):
    buffer = io.BytesIO()
    picture = PIL.Image.fromarray(make_image(shape)).convert(mode)
    picture.save(buffer, file_format, **settings)
    return buffer.getvalue()


def with_opencv(suffix, pixels, *settings):
    """Encode RGB(A) or gray pixels."""
    order = [2, 1, 0, 3][: pixels.shape[2]] if pixels.shape[2] > 1 else [0]
    good, data = cv2.imencode(suffix, np.ascontiguousarray(pixels[..., order]), settings)
    assert good
    return data.tobytes()


def bmp_v5(endpoints=None, gamma=None, profile=b""):
    """A BMP file of one pixel with a header of version 5."""
    kind = b"DEBM" if profile else bytes(4)
    corners = bytes(36)
    if endpoints is not None:
        corners = struct.pack("<9I", *(round(value * 2**30) for value in np.ravel(endpoints)))
    gammas = struct.pack("<3I", *[round((gamma or 0) * 65536)] * 3)
    header = struct.pack("<IiiHHIIiiII", 124, 1, 1, 1, 24, 0, 4, 0, 0, 0, 0) + bytes(16)
    header += kind + corners + gammas + struct.pack("<IIII", 4, 124 + 4, len(profile), 0)
    pixels = b"\x10\x20\x30\0"
    size = 14 + len(header) + len(pixels) + len(profile)
    start = struct.pack("<2sIHHI", b"BM", size, 0, 0, 14 + len(header))
    return start + header + pixels + profile


def heic(pixels, **settings):
    """Encode 8- or 16-bit gray, RGB or RGBA pixels, without loss."""
    package = pytest.importorskip("pillow_heif")
    bits = ";16" if pixels.dtype == np.uint16 else ""
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[pixels.shape[2]] + bits
    file = package.from_bytes(mode, pixels.shape[1::-1], pixels.tobytes())
    buffer = io.BytesIO()
    lossless = {"quality": -1, "chroma": 444, "matrix_coefficients": 0}
    file.save(buffer, **({} if pixels.shape[2] == 1 else lossless), **settings)
    return buffer.getvalue()


DNG_BLACK, DNG_WHITE = 256, 4095
DNG_NEUTRAL = (0.5, 1.0, 0.8)
"""What the camera of `dng` sees of white."""


def dng(mosaic, *, orientation=1, pattern=b"\0\1\1\2", photometric=32803, exif=()):
    """A DNG file: a thumbnail, and below it the values of a sensor (DNG 1.4, chapters 3 and 4).

    Args:
        mosaic: (H, W), uint16, from DNG_BLACK to DNG_WHITE. Colors are those of linear sRGB,
            divided by the white balance.
        orientation: As EXIF counts it.
        pattern: Colors of the filter, row by row: 0 red, 1 green, 2 blue.
        photometric: What the values are.
        exif: Further tags of the file.
    """
    tifffile = pytest.importorskip("tifffile")
    # from XYZ to the camera's colors, here those of sRGB (IEC 61966-2-1)
    matrix = [32406, -15372, -4986, -9689, 18758, 415, 557, -2040, 10570]
    rationals = [number for value in matrix for number in (value, 10_000)]
    neutral = [number for share in DNG_NEUTRAL for number in (round(share * 100), 100)]
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        file.write(
            np.full((12, 16, 3), 99, np.uint8),
            photometric="rgb",
            subfiletype=1,
            subifds=1,
            extratags=[
                (50706, "B", 4, b"\1\4\0\0", True),
                (50707, "B", 4, b"\1\1\0\0", True),
                (50708, "s", 0, "Test Camera", True),
                (271, "s", 0, "Test", True),
                (272, "s", 0, "Camera", True),
                (274, "H", 1, orientation, True),
                (50721, "2i", 9, rationals, True),
                (50778, "H", 1, 21, True),
                (50728, "2I", 3, neutral, True),
                *exif,
            ],
        )
        tags = [(50714, "H", 1, DNG_BLACK, True), (50717, "H", 1, DNG_WHITE, True)]
        if photometric == 32803:
            tags += [(33421, "H", 2, (2, 2), True), (33422, "B", 4, pattern, True)]
            tags += [(50710, "B", 3, b"\0\1\2", True), (50711, "H", 1, 1, True)]
        file.write(mosaic, photometric=photometric, subfiletype=0, extratags=tags)
    return buffer.getvalue()


def seen_through(linear, pattern=b"\0\1\1\2"):
    """What the sensor of `dng` gives for a picture (H, W, 3) in linear sRGB, 0 to 1."""
    colors = linear * np.array(DNG_NEUTRAL)
    values = np.empty(linear.shape[:2])
    for place, color in enumerate(pattern):
        rows, columns = slice(place // 2, None, 2), slice(place % 2, None, 2)
        values[rows, columns] = colors[rows, columns, color]
    return np.rint(DNG_BLACK + values * (DNG_WHITE - DNG_BLACK)).astype(np.uint16)
