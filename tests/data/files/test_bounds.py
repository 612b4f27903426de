"""Small files cost little time and memory, whatever they promise."""

from __future__ import annotations

import struct
import time
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from semanir_arch.data.files import extra_formats
from semanir_arch.data.files.bounds import read_size
from semanir_arch.data.files.image_encoding import encode_image
from semanir_arch.data.files.image_io import decode_image
from semanir_arch.data.sources.lmdb_values import summarize
from semanir_arch.restoring.files import count_pixels
from semanir_arch.restoring.serve.upload import check_size
from tests.data.files.made import chunk, png, saved
from tests.each import each
from tests.helpers import make_image

resource = pytest.importorskip("resource", reason="not on Windows")

# Pillow, which writes some of them
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

SECONDS, MEGABYTES = 2, 300
PNG = encode_image(make_image((6, 5, 3)), Path("a.png"))
JPEG = encode_image(make_image((16, 16, 3)), Path("a.jpg"))


def tiff_of_many_directories(count=30_000):
    """A sound picture, and behind it directories of one entry each."""
    data = bytearray(encode_image(make_image((6, 5, 3)), Path("a.tif")))
    (place,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, place)
    link = place + 2 + 12 * entries
    fields = [(256, 1), (257, 1), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (279, 1)]
    block = struct.pack("<H", len(fields)) + b"".join(
        struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields
    )
    data += b"\0" * (len(data) % 2)
    for _ in range(count):
        struct.pack_into("<I", data, link, len(data))
        link = len(data) + len(block)
        data += block + bytes(4)
    return bytes(data)


def greedy_directory(order, count, size):
    """EXIF data whose entries all name the same bytes, to the end."""
    head = b"II*\0" if order == "<" else b"MM\0*"
    start = 8 + 2 + 12 * count + 4
    entries = b"".join(
        struct.pack(order + "HHII", 1000 + i % 60_000, 7, size, start) for i in range(count)
    )
    return (
        head
        + struct.pack(order + "I", 8)
        + struct.pack(order + "H", count)
        + entries
        + bytes(4 + size)
    )


def greedy_tiff():
    data = bytearray(encode_image(make_image((6, 5, 3)), Path("a.tif")))
    (place,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, place)
    own = bytes(data[place + 2 : place + 2 + 12 * entries])
    more = 2_000
    struct.pack_into("<I", data, 4, len(data) + len(data) % 2)
    data += b"\0" * (len(data) % 2) + struct.pack("<H", entries + more) + own
    start = len(data) + 12 * more + 4
    for i in range(more):
        data += struct.pack("<HHII", 40_000 + i, 7, 2**20, start)
    return bytes(data) + bytes(4 + 2**20)


def jpeg_of_many_scans(count):
    data = saved("JPEG", shape=(64, 64, 3), progressive=True)
    start = data.rindex(b"\xff\xda")
    return data[:start] + data[start:-2] * count + b"\xff\xd9"


def giant_tile():
    data = bytearray(encode_image(make_image((6, 5, 3)), Path("a.tif")))
    (place,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, place)
    own = [bytes(data[place + 2 + 12 * i : place + 14 + 12 * i]) for i in range(entries)]
    own = {struct.unpack_from("<H", one)[0]: one for one in own}
    for tag, value in ((322, 65_520), (323, 65_520), (324, 8), (325, 90)):
        own[tag] = struct.pack("<HHII", tag, 4, 1, value)
    own = {tag: one for tag, one in own.items() if tag not in (273, 278, 279)}
    struct.pack_into("<I", data, 4, len(data) + len(data) % 2)
    data += b"\0" * (len(data) % 2) + struct.pack("<H", len(own))
    return bytes(data) + b"".join(own[tag] for tag in sorted(own)) + bytes(4)


def line_png(width, height):
    """An image of one color, as small as PNG can make it."""
    packer = zlib.compressobj(9)
    row = b"\0" + bytes(width)
    body = b"".join(packer.compress(row * 1000) for _ in range(height // 1000)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return PNG[:8] + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def with_exif(file_format):
    exif = b"Exif\0\0" + greedy_directory("<", 4_000, 15_000)
    return saved(file_format, exif=exif)


REFUSED = {
    "PNG of a million chunks": lambda: PNG[:33] + chunk(b"teSt", b"") * 10**6 + PNG[33:],
    "PNG of a million chunks behind the pixels": lambda: (
        PNG[:-12] + chunk(b"teSt", b"") * 2 * 10**5 + PNG[-12:]
    ),
    "PNG of a million parts": lambda: PNG[:-12] + chunk(b"IDAT", b"") * 2 * 10**5 + PNG[-12:],
    "PNG of one column": lambda: line_png(1, 24_000_000),
    "PNG of one row": lambda: (
        PNG[:16]
        + struct.pack(">II", 24_000_000, 1)
        + PNG[24:29]
        + struct.pack(">I", zlib.crc32(b"IHDR" + struct.pack(">II", 24_000_000, 1) + PNG[24:29]))
        + chunk(b"IDAT", zlib.compress(bytes(24_000_001 * 3)))
        + PNG[-12:]
    ),
    "TIFF of giant tiles": giant_tile,
    "JPEG of many passes": lambda: jpeg_of_many_scans(2000),
    "JPEG of many segments": lambda: JPEG[:2] + b"\xff\xfe\0\2" * 2 * 10**5 + JPEG[2:],
    "JPEG of much filling": lambda: JPEG[:2] + b"\xff" * 10**6 + JPEG[2:],
    "JPEG whose EXIF entries name the same": lambda: with_exif("JPEG"),
    "PNG whose EXIF entries name the same": lambda: with_exif("PNG"),
    "WebP whose EXIF entries name the same": lambda: with_exif("WEBP"),
    "AVIF whose EXIF entries name the same": lambda: with_exif("AVIF"),
    "PPM of one comment": lambda: b"P6\n#" + b"x" * 10**6 + b"\n2 2\n255\n" + bytes(12),
    "EPS": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n" + bytes(100),
}


def bounded(work, *arguments):
    """Result or error of a call, in bounded time and memory."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    try:
        result = work(*arguments)
    except ValueError as error:
        result = error
    assert time.process_time() - started < SECONDS
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < MEGABYTES
    return result


@each("name", REFUSED)
def test_a_file_that_promises_too_much_is_refused_at_once(name, tmp_path):
    data = REFUSED[name]()
    assert len(data) < 13 * 2**20
    path = tmp_path / "file"
    path.write_bytes(data)
    for work in (
        lambda: decode_image(data, "file"),
        lambda: check_size(data, "file", 1),
        lambda: summarize(memoryview(data), "file"),
    ):
        result = bounded(work)
        # what stands behind the pixels is found when they are read
        assert isinstance(result, ValueError) or work.__code__.co_names[0] != "decode_image"
        if isinstance(result, ValueError):
            assert str(result).startswith("file: cannot be read as an image: ") or (
                "this page takes up to" in str(result)
            )
    bounded(count_pixels, path)


def test_entries_that_name_the_same_megabyte_are_not_all_read():
    # newer versions of Pillow pass over them
    result = bounded(decode_image, greedy_tiff(), "file")
    assert isinstance(result, ValueError) or result.pixels.shape == (6, 5, 3)


def test_pages_are_not_counted():
    data = tiff_of_many_directories()
    assert 3 * 10**6 < len(data) < 4 * 10**6
    image = bounded(decode_image, data, "file")
    np.testing.assert_array_equal(image.pixels, make_image((6, 5, 3)))
    assert image.notes == ("holds more than one picture; only the first is read",)


def test_a_bomb_of_one_colour_is_bounded():
    data = line_png(4000, 4000)
    assert len(data) < 20_000
    assert bounded(decode_image, data, "file").pixels.shape == (4000, 4000, 1)
    assert isinstance(bounded(decode_image, line_png(2000, 9000)[:5000], "file"), ValueError)
    huge = saved("PNG", "1", (64, 64, 3))
    size = struct.pack(">II", 16_000, 16_000)
    header = b"IHDR" + size + huge[24:29]
    huge = huge[:12] + header + struct.pack(">I", zlib.crc32(header)) + huge[33:]
    assert isinstance(bounded(decode_image, huge, "file"), ValueError)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".bmp"])
def test_sound_files_of_many_parts_are_read(suffix):
    noise = np.random.default_rng(0).integers(0, 256, (700, 900, 3), dtype=np.uint8)
    data = encode_image(noise, Path(f"a{suffix}"))
    assert decode_image(data, "a").pixels.shape == noise.shape
    assert read_size(data, "a") == (900, 700)


def test_sound_files_of_small_parts_are_read():
    noise = np.random.default_rng(0).integers(0, 256, (400, 300, 3), dtype=np.uint8)
    whole = png(noise, 8, 2)
    place = whole.index(b"IDAT") + 4
    (length,) = struct.unpack_from(">I", whole, place - 8)
    body = whole[place : place + length]
    parts = b"".join(chunk(b"IDAT", body[i : i + 512]) for i in range(0, length, 512))
    np.testing.assert_array_equal(
        decode_image(whole[: place - 8] + parts + whole[-12:], "a").pixels, noise
    )
    strips = saved("TIFF", shape=(5000, 20, 3), tiffinfo={278: 1})
    assert decode_image(strips, "a").pixels.shape == (5000, 20, 3)
    packed = saved("BMP", "P", (300, 300, 3))
    assert decode_image(packed, "a").pixels.shape == (300, 300, 3)
    assert PIL.Image.MAX_IMAGE_PIXELS * 2 == 178_956_970


@each(
    "data, said",
    [
        (b"%PDF-1.7\n", "it is a PDF document; save its pages as PNG"),
        (b"PK\3\4" + bytes(26) + b"word/document.xml", "it is a document of an office program"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "it is a document of an office program"),
        (b"PK\3\4" + bytes(26) + b"a.png", "it is an archive; unpack it first"),
        (b"\0\0\0\x18ftypisom\0\0\2\0isommp41", "it is a video; extract pictures from it first"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "it is a video"),
        (b"\x1aE\xdf\xa3" + bytes(40), "it is a video"),
        (saved("TIFF", tiffinfo={254: 1}), "its first picture is a small copy of another"),
        (b"<!DOCTYPE html><html>", "it is a web page"),
        (b"<?xml version='1.0'?>\n<svg xmlns=''/>", "it is a drawing"),
    ],
)
def test_well_known_foreign_files_are_named_with_what_to_do(data, said):
    for work in (decode_image, lambda data, name: check_size(data, name, 1)):
        with pytest.raises(ValueError, match=rf"^file: cannot be read as an image: {said}"):
            work(data, "file")


HEIC = "it is a HEIC photo, as iPhones take them; to read it: pip install 'semanir-arch[formats]'"
RAW = "it is a camera raw file; to read it: pip install 'semanir-arch[formats]'"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", HEIC),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", HEIC),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", RAW),
        (b"II*\0\x10\0\0\0CR\2\0" + bytes(40), RAW),
        (b"FUJIFILMCCD-RAW 0201", RAW),
        (saved("TIFF", tiffinfo={50706: b"\1\4\0\0"}), RAW),
        (saved("TIFF", "L", tiffinfo={262: 32803}), RAW),
    ],
)
@pytest.mark.parametrize("is_there", [False, True])
def test_heic_and_raw_need_a_package_and_are_never_taken_for_something_else(
    data, said, is_there, monkeypatch
):
    if is_there:
        pytest.importorskip("rawpy", reason="extra `formats`")
        pytest.importorskip("pillow_heif", reason="extra `formats`")
    monkeypatch.setattr(extra_formats, "is_installed", lambda extra: is_there)
    for work in (decode_image, lambda data, name: check_size(data, name, 1)):
        with pytest.raises(ValueError, match=r"^file: cannot be read as an image: ") as found:
            work(data, "file")
        assert (said in str(found.value)) != is_there
        assert ("film" in str(found.value)) is False
