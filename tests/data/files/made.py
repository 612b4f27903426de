"""Image files put together here, independently of the code that reads them."""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
import PIL.Image

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
