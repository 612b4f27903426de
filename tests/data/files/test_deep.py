"""Files of more than 8 bits keep them or are refused; transparent levels count in all depths."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from semanir_arch.data.files.image_io import decode_image, load_image
from semanir_arch.data.sources.source_opening import open_source
from tests.data.files.made import png, saved, with_opencv
from tests.each import each
from tests.helpers import make_image

tifffile = pytest.importorskip("tifffile", reason="tifffile comes with scikit-image")


def levels(shape, largest):
    return np.random.default_rng(0).integers(0, largest + 1, shape).astype(np.uint16)


def scaled(values, largest):
    """To 16 bits, by fractions."""
    return np.rint(values.astype(np.float64) * 65535 / largest).astype(np.uint16)


def netpbm(kind, values, largest):
    head = f"P{kind}\n# a comment 7 8 9\n{values.shape[1]} {values.shape[0]}\n{largest}\n".encode()
    if kind in (2, 3):
        return head + b"\n".join(b" ".join(b"%d" % v for v in row.ravel()) for row in values)
    return head + values.astype(">u2").tobytes()


def deep_files():
    for kind, channels in ((2, 1), (3, 3), (5, 1), (6, 3)):
        for largest in (256, 1023, 4095, 65535):
            values = levels((12, 16, channels), largest)
            yield f"P{kind} {largest}", netpbm(kind, values, largest), scaled(values, largest)
    for channels in (1, 3, 4):
        values = levels((64, 64, channels), 65535)
        exact = ".jp2", values, 272, 1000  # IMWRITE_JPEG2000_COMPRESSION_X1000: lossless
        yield f"JPEG 2000 {channels}", with_opencv(*exact), values
    for bits in (10, 12):
        for channels in (1, 3, 4):
            values = levels((64, 64, channels), 2**bits - 1)
            # IMWRITE_AVIF_QUALITY, IMWRITE_AVIF_DEPTH
            data = with_opencv(".avif", values, 512, 100, 513, bits)
            yield f"AVIF {bits} {channels}", data, scaled(values, 2**bits - 1)


@each("name, data, expected", deep_files)
def test_every_level_is_kept(name, data, expected):
    image = decode_image(data, name)
    assert (image.pixels.dtype, image.notes) == (np.uint16, ())
    np.testing.assert_array_equal(image.pixels, expected)


def test_data_sets_get_them_too(tmp_path):
    values = levels((12, 16, 3), 65535)
    (tmp_path / "a.png").write_bytes(netpbm(6, values, 65535))
    np.testing.assert_array_equal(open_source(tmp_path).read(0), values)


def test_shallow_files_stay_shallow():
    for data in (
        b"P5 4 1 255\n" + bytes([0, 1, 200, 255]),
        b"P2 4 1 255\n0 1 200 255\n",
        with_opencv(".avif", make_image((64, 64, 3)), 512, 100),
    ):
        assert decode_image(data, "image").pixels.dtype == np.uint8


def test_twelve_packed_bits_of_gray_become_sixteen():
    # TIFF 6.0: ImageWidth to SamplesPerPixel, one strip of two pixels in three bytes
    pixels = bytes([0xFF, 0xF8, 0x00])
    entries = [
        *((256, 3, 2), (257, 3, 1), (258, 3, 12), (259, 3, 1), (262, 3, 1), (273, 4, 8)),
        *((277, 3, 1), (278, 3, 1), (279, 4, 3)),
    ]
    body = struct.pack("<H", len(entries)) + b"".join(
        struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries
    )
    data = b"II*\0" + struct.pack("<I", 12) + pixels + b"\0" + body + bytes(4)
    read = decode_image(data, "packed").pixels
    np.testing.assert_array_equal(read.ravel(), scaled(np.array([0xFFF, 0x800]), 4095))


def tiff(pixels, **settings):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, **settings)
    return buffer.getvalue()


@each(
    "data, reason",
    [
        (tiff(np.zeros((4, 4), np.int16)), "signed ones; allowed: unsigned whole numbers"),
        (tiff(np.zeros((4, 4), np.uint32)), "32-bit whole numbers"),
        (tiff(np.zeros((4, 4), np.float32)), "32-bit floating-point numbers"),
        (tiff(np.zeros((4, 4, 4), np.uint16), photometric="separated"), "neither gray nor RGB"),
        (saved("TIFF", "LAB"), "CIELAB colors"),
        (b"P5 2 1 65536\n\0\0\0\0", "maxval must be"),
        (b"P5 2 1 1000\n\xff\xff\0\0", "holds a value above 1000"),
        (b"P6 2 2 1000\n\0\0\0\0", "not enough"),
    ],
)
def test_what_cannot_be_kept_is_refused_in_one_sentence(data, reason):
    with pytest.raises(
        ValueError, match=f"^image: cannot be read as an image: .*{reason}"
    ) as found:
        decode_image(data, "image")
    assert "8 and 16 bits are" not in str(found.value)


TRANSPARENT = [
    (bits, color_type, palette)
    for bits, color_type, palette in (
        *((bits, 0, False) for bits in (1, 2, 4, 8, 16)),
        *((bits, 2, False) for bits in (8, 16)),
        *((bits, 3, True) for bits in (1, 2, 4, 8)),
    )
]


@each("bits, color_type, palette", TRANSPARENT)
def test_the_transparent_level_or_colour_of_every_png(bits, color_type, palette):
    channels = 3 if color_type == 2 else 1
    largest = 2**bits - 1
    values = levels((4, 8, channels), largest)
    chosen = values[1, 3]
    if palette:
        colors = bytes(range(3 * 2**bits)) if bits < 8 else bytes(768)
        alpha = bytes(0 if level == chosen[0] else 255 for level in range(2**bits))
        chunks = [(b"PLTE", colors), (b"tRNS", alpha)]
    else:
        # bits above those of the file do not count
        noise = 0 if bits == 16 else 0x4000
        chunks = [(b"tRNS", b"".join(struct.pack(">H", int(v) | noise) for v in chosen))]
    image = decode_image(png(values, bits, color_type, *chunks), "image")
    white = 65535 if bits == 16 else 255
    hidden = (values == chosen).all(2, keepdims=True)
    np.testing.assert_array_equal(image.alpha, np.where(hidden, 0, white))
    if not palette:
        np.testing.assert_array_equal(
            image.pixels[..., :-1], values if bits == 16 else values.astype(int) * 255 // largest
        )


def test_a_file_on_disk_is_read_the_same_way(tmp_path):
    values = levels((12, 16, 1), 1023)
    path = Path(tmp_path, "a.pgm")
    path.write_bytes(netpbm(5, values, 1023))
    np.testing.assert_array_equal(load_image(path).pixels, scaled(values, 1023))
    with PIL.Image.open(path) as file:
        assert file.size == (16, 12)
