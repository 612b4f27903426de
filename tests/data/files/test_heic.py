"""HEIC photos: pixels, depth, colors, what is kept, and bounded work."""

from __future__ import annotations

import io
import struct
import time

import numpy as np
import PIL.Image
import pytest

from semanir_arch.data.files.bounds import read_size
from semanir_arch.data.files.image_io import decode_image, write_image
from semanir_arch.data.sources.source_opening import open_source
from tests.data.files.made import heic, with_opencv
from tests.helpers import make_image

pillow_heif = pytest.importorskip("pillow_heif", reason="extra `formats`")


@pytest.mark.parametrize("channels", [3, 4])
def test_pixels_of_8_bits_come_back_as_they_were(channels):
    pixels = make_image((24, 20, channels))
    image = decode_image(heic(pixels), "a.heic")
    np.testing.assert_array_equal(image.pixels, pixels)
    assert read_size(heic(pixels), "a.heic") == (20, 24)
    assert image.notes == ()


def test_gray_stays_gray():
    pixels = np.full((24, 20, 1), 130, np.uint8)
    found = decode_image(heic(pixels), "a.heic").pixels
    np.testing.assert_allclose(found.astype(int), pixels, atol=2)


@pytest.mark.parametrize("bits", [10, 12])
def test_deeper_pixels_become_16_bits(monkeypatch, bits):
    monkeypatch.setattr(pillow_heif.options, "SAVE_HDR_TO_12_BIT", bits == 12)
    levels = make_image((24, 20, 3), np.uint16) >> (16 - bits)
    image = decode_image(heic(levels << (16 - bits)), "a.heic")
    assert image.pixels.dtype == np.uint16
    wanted = np.rint(levels * (65535 / (2**bits - 1)))
    np.testing.assert_array_equal(image.pixels, wanted)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_photos_are_upright_and_keep_exif_without_the_orientation(orientation):
    stored = PIL.Image.fromarray(np.kron([[10, 90, 170]], np.ones((32, 32))).astype(np.uint8))
    exif = PIL.Image.Exif()
    exif[274], exif[315] = orientation, "Somebody"
    buffer = io.BytesIO()
    pillow_heif.from_pillow(stored.convert("RGB")).save(buffer, quality=-1, exif=exif.tobytes())
    image = decode_image(buffer.getvalue(), "a.heic")
    wanted = np.rot90(np.asarray(stored), {1: 0, 3: 2, 6: -1, 8: 1}[orientation])
    np.testing.assert_allclose(image.pixels[..., 1], wanted, atol=3)
    kept = PIL.Image.Exif()
    kept.load(image.metadata.exif)
    assert dict(kept) == {315: "Somebody"}


def test_colours_are_kept():
    profile = bytes(16) + b"RGB " + bytes(200)
    pixels = make_image((24, 20, 3))
    assert decode_image(heic(pixels, icc_profile=profile), "a").metadata.icc_profile == profile
    assert decode_image(heic(pixels), "a").metadata.srgb_intent == 0
    wide = decode_image(heic(pixels, color_primaries=12), "a").metadata
    assert "H.273 12/13".encode("utf-16-be") in wide.icc_profile
    bright = decode_image(heic(pixels, transfer_characteristics=16), "a")
    assert "is of high dynamic range (PQ)" in bright.notes[0]


def test_of_several_pictures_the_main_one_is_read():
    buffer = io.BytesIO()
    file = pillow_heif.from_bytes("RGB", (20, 24), make_image((24, 20, 3)).tobytes())
    file.add_frombytes("RGB", (40, 32), make_image((32, 40, 3)).tobytes())
    file.save(buffer, quality=-1, primary_index=1)
    image = decode_image(buffer.getvalue(), "a.heic")
    assert image.pixels.shape == (32, 40, 3)
    assert image.notes == ("holds more than one picture; only the main is read",)


def test_avif_of_an_open_brand_is_still_avif():
    data = bytearray(with_opencv(".avif", make_image((24, 20, 3))))
    data[8:12] = b"mif1"
    assert decode_image(bytes(data), "a.avif").pixels.shape == (24, 20, 3)


def test_items_that_all_name_the_same_bytes_are_refused_at_once():
    data = heic(make_image((24, 20, 3)))
    places = b"".join(
        struct.pack(">HHH", number, 0, 1) + struct.pack(">II", 100, 2**19) for number in range(900)
    )
    box = b"\0\0\0\0\x44\0" + struct.pack(">H", 900) + places
    box = struct.pack(">I4s", 8 + len(box), b"iloc") + box
    meta = b"\0\0\0\0" + box
    evil = data[: data.index(b"meta") - 4] + struct.pack(">I4s", 8 + len(meta), b"meta") + meta
    started = time.process_time()
    with pytest.raises(ValueError, match=r"a: .*names \d+ parts of \d+ bytes in a file of"):
        decode_image(evil + bytes(2**19), "a")
    assert time.process_time() - started < 1


def test_data_sets_read_heic_photos(tmp_path):
    (tmp_path / "a.HEIC").write_bytes(heic(make_image((24, 20, 3))))
    write_image(tmp_path / "b.png", np.zeros((8, 8, 3), np.uint8))
    source = open_source(tmp_path)
    assert [*source.names] == ["a", "b"]
    np.testing.assert_array_equal(source.read(0), make_image((24, 20, 3)))
