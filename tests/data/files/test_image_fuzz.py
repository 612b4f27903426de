"""Damaged image files give a picture or a ValueError that names them, soon and in little memory."""

from __future__ import annotations

import io
import struct
import time
import zlib
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from semanir_arch.data.files.fast_png import encode_fast_png
from semanir_arch.data.files.image_encoding import encode_image
from semanir_arch.data.files.image_io import decode_image, load_image
from semanir_arch.data.sources.lmdb_values import summarize, unpack
from semanir_arch.data.sources.source_opening import open_source
from tests.data.files.made import dng, heic, plain_png, seen_through, with_opencv
from tests.each import each
from tests.helpers import make_image

resource = pytest.importorskip("resource", reason="not on Windows")
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning"),
]


def encoded(suffix, channels=3, dtype=np.uint8):
    return encode_image(make_image((24, 20, channels), dtype), Path(f"image{suffix}"))


def saved(file_format, mode="RGB", **settings):
    buffer = io.BytesIO()
    picture = PIL.Image.fromarray(make_image((24, 20, 3))).convert(mode)
    picture.save(buffer, file_format, **settings)
    return buffer.getvalue()


def with_orientation(file_format):
    exif = PIL.Image.Exif()
    exif[274] = 6
    return saved(file_format, exif=exif)


FILES = {
    "png": encoded(".png"),
    "png gray": encoded(".png", 1),
    "png alpha": encoded(".png", 2),
    "png 16 bit": encoded(".png", 3, np.uint16),
    "png palette": saved("PNG", "P"),
    "png stored": encode_fast_png(make_image((24, 20, 3)), compress=False),
    "png turned": with_orientation("PNG"),
    "jpeg": encoded(".jpg"),
    "jpeg progressive": saved("JPEG", progressive=True),
    "jpeg inks": saved("JPEG", "CMYK"),
    "jpeg turned": with_orientation("JPEG"),
    "tiff": encoded(".tif"),
    "tiff 16 bit": encoded(".tif", 3, np.uint16),
    "tiff lzw": saved("TIFF", compression="tiff_lzw"),
    "tiff deflate": saved("TIFF", compression="tiff_adobe_deflate"),
    "tiff jpeg": saved("TIFF", compression="jpeg"),
    "tiff fax": saved("TIFF", "1", compression="group4"),
    "webp": encoded(".webp"),
    "webp alpha": encoded(".webp", 4),
    "webp lossy": saved("WEBP"),
    "bmp": encoded(".bmp"),
    "bmp gray": encoded(".bmp", 1),
    "gif": saved("GIF", "P"),
    "gif several": saved(
        "GIF", "P", save_all=True, append_images=[PIL.Image.new("P", (20, 24), 7)]
    ),
    "ppm": saved("PPM"),
    "pgm 16 bit": b"P5 20 24 65535\n" + make_image((24, 20, 1), np.uint16).tobytes(),
    "pgm words": b"P2 4 2 1000\n1 2 3 1000 5 6 7 8\n",
    "jpeg 2000": saved("JPEG2000"),
    "jpeg 2000 16 bit": with_opencv(".jp2", make_image((64, 64, 3), np.uint16)),
    "avif": saved("AVIF"),
    "avif 10 bit": with_opencv(".avif", make_image((24, 20, 3), np.uint16) >> 6, 513, 10),
    "mpo": saved("MPO", save_all=True, append_images=[PIL.Image.new("RGB", (20, 24))]),
    "png described": plain_png(
        (b"gAMA", bytes([0, 0, 177, 143])), (b"cICP", bytes([12, 13, 0, 1])), (b"tRNS", bytes(6))
    ),
}
if find_spec("pillow_heif"):
    FILES["heic"] = heic(make_image((64, 64, 3)))
    FILES["heic 10 bit"] = heic(make_image((64, 64, 4), np.uint16))
if find_spec("rawpy") and find_spec("tifffile"):
    FILES["raw"] = dng(seen_through(make_image((48, 64, 3)) / 255))
SECONDS = 2
MEGABYTES = 600


def refuse_or_decode(data):
    """Decode; anything but a picture and a ValueError that names the file fails the test."""
    # time of the processor: that of a clock counts what other programs on the machine do
    started = time.process_time()
    pixels, message = None, "the file: "
    try:
        pixels = decode_image(data, "the file").pixels
    except ValueError as error:
        message = str(error)
    assert time.process_time() - started < SECONDS
    assert message.startswith("the file: ")
    assert pixels is None or (pixels.ndim == 3 and pixels.dtype in (np.uint8, np.uint16))
    return pixels


def peak_megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@each("name", FILES)
def test_files_cut_at_many_points(name):
    data = FILES[name]
    # some formats end with bytes that no decoder needs
    needed = len(data) - (
        len(data) if name.startswith(("tiff", "mpo", "avif", "heic", "raw")) else 40
    )
    for length in range(0, len(data), max(1, len(data) // 60)):
        pixels = refuse_or_decode(data[:length])
        if length < needed:
            assert pixels is None, f"{length} of {len(data)} bytes were enough"


@each("name", FILES)
def test_files_with_random_bytes_changed(name):
    generator = np.random.default_rng(sum(map(ord, name)))
    before = peak_megabytes()
    for _ in range(80):
        data = bytearray(FILES[name])
        # headers hold the sizes
        reach = len(data) if generator.random() < 0.5 else min(len(data), 80)
        for position in generator.integers(reach, size=generator.integers(1, 6)):
            data[position] = generator.integers(256)
        refuse_or_decode(bytes(data))
    assert peak_megabytes() - before < MEGABYTES


@each("count", [0, 1, 7, 100, 5000])
@each("byte", [0, 255])
def test_files_of_one_byte_repeated(count, byte):
    assert refuse_or_decode(bytes([byte]) * count) is None


def test_random_bytes_behind_every_signature():
    generator = np.random.default_rng(0)
    for data in FILES.values():
        for kept in (4, 8, 16):
            assert refuse_or_decode(data[:kept] + generator.bytes(500)) is None


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".bmp"])
def test_the_contents_decide_not_the_suffix(tmp_path, suffix):
    expected = decode_image(FILES["bmp"], "bmp").pixels
    path = tmp_path / f"image{suffix}"
    path.write_bytes(FILES["bmp"])
    np.testing.assert_array_equal(load_image(path).pixels, expected)


def huge_headers():
    """Files of a few hundred bytes that claim many megapixels."""
    bmp = bytearray(FILES["bmp"])
    jpeg, tiff = bytearray(FILES["jpeg"]), bytearray(FILES["tiff"])
    frame = jpeg.index(b"\xff\xc0") + 5
    width = tiff.index(struct.pack("<HHI", 256, 4, 1)) + 8
    height = tiff.index(struct.pack("<HHI", 257, 4, 1)) + 8
    for side in (8000, 13000, 60000, 2**31 - 1):
        chunk = b"IHDR" + struct.pack(">II", side, side) + FILES["png"][24:29]
        png = FILES["png"][:12] + chunk + struct.pack(">I", zlib.crc32(chunk))
        yield f"png {side}", png + FILES["png"][33:]
        bmp[18:26] = struct.pack("<II", side, side)
        yield f"bmp {side}", bytes(bmp)
        tiff[width : width + 4] = tiff[height : height + 4] = struct.pack("<I", side)
        yield f"tiff {side}", bytes(tiff)
        jpeg[frame : frame + 4] = struct.pack(">HH", min(side, 65500), min(side, 65500))
        yield f"jpeg {side}", bytes(jpeg)


@each("name, data", huge_headers)
def test_huge_headers_are_refused_in_little_memory(name, data):
    before = peak_megabytes()
    with pytest.raises(ValueError, match="the file: "):
        decode_image(data, "the file")
    assert peak_megabytes() - before < 100


def test_a_chunk_that_promises_gigabytes_is_refused():
    data = bytearray(FILES["png 16 bit"])
    position = data.index(b"IDAT") - 4
    data[position : position + 4] = struct.pack(">I", 2**32 - 2**20)
    before = peak_megabytes()
    with pytest.raises(ValueError, match=r"the file: .*cut short within chunk b'IDAT'"):
        decode_image(bytes(data), "the file")
    assert peak_megabytes() - before < 100


def test_large_pictures_are_read():
    pixels = np.zeros((5000, 5000, 1), np.uint8)
    data = encode_image(pixels, Path("large.png"))
    np.testing.assert_array_equal(decode_image(data, "large").pixels, pixels)


NO_MESSAGE = "v: no message"


def message_of(read):
    """What a ValueError says; anything else fails the test."""
    try:
        read()
    except ValueError as error:
        return str(error)
    return NO_MESSAGE


def test_data_sets_name_the_file_whatever_its_decoder_raises(tmp_path):
    generator = np.random.default_rng(3)
    for number, (name, data) in enumerate(FILES.items()):
        for kind in range(4):
            damaged = bytearray(data)
            for position in generator.integers(len(data), size=8):
                damaged[position] = generator.integers(256)
            (tmp_path / f"{number}_{kind}.png").write_bytes(damaged)
            value = memoryview(bytes(damaged))
            for read in (partial(unpack, value, "v", verify=True), partial(summarize, value, "v")):
                assert message_of(read).startswith("v: "), name
    source = open_source(tmp_path)
    refused = 0
    for index in range(len(source)):
        message = message_of(partial(source.read, index))
        refused += message != NO_MESSAGE
        assert message == NO_MESSAGE or message.startswith(f"{source.path(index)}: ")
    assert refused > len(FILES)


def test_any_exception_of_a_decoder_is_one_message(monkeypatch):
    for kind in (RuntimeError, AttributeError, AssertionError, MemoryError, RecursionError):

        def fail(*_, kind=kind):
            raise kind("inside\nthe decoder")

        monkeypatch.setattr("semanir_arch.data.files.image_io.decode_pixels", fail)
        with pytest.raises(ValueError, match=r"^the file: cannot be read as an image: ") as found:
            decode_image(FILES["png"], "the file")
        assert "\n" not in str(found.value)
