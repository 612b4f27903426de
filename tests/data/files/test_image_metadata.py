"""Metadata goes with an image from any format to any other that holds it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageCms
import pytest
from PIL.ExifTags import IFD
from PIL.TiffImagePlugin import IFDRational

from semanir_arch.data.files.image_encoding import check_format, encode_image
from semanir_arch.data.files.image_io import decode_image
from semanir_arch.data.files.image_metadata import Metadata, fit_to_format, read_metadata
from tests.each import each
from tests.helpers import make_image

tifffile = pytest.importorskip("tifffile", reason="tifffile comes with scikit-image")

SRGB = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
    b'xmlns:xmp="http://ns.adobe.com/xap/1.0/">'
    b'<rdf:RDF><rdf:Description rdf:about="" tiff:Orientation="6" xmp:Rating="4"/></rdf:RDF>'
    b"</x:xmpmeta>"
)
MAKER, ORIENTATION, COPYRIGHT = 271, 274, 33432
TIME, APERTURE, NOTE, WIDTH, HEIGHT, INTEROP = 33434, 33437, 37500, 40962, 40963, 40965


def camera_photo():
    """A JPEG file, 40 x 30 as stored, turned, with everything that cameras write."""
    exif = PIL.Image.Exif()
    exif[MAKER], exif[ORIENTATION] = "Maker", 6
    exif[COPYRIGHT] = "\u00a9 J\u00fcrgen".encode()
    exif[IFD.Exif] = {
        TIME: IFDRational(1, 125),
        APERTURE: 2.8,
        NOTE: b"maker\0note",
        WIDTH: 40,
        HEIGHT: 30,
        INTEROP: 999,
    }
    exif[IFD.GPSInfo] = {1: "N", 2: (47.0, 30.0, 12.5)}
    buffer = io.BytesIO()
    PIL.Image.fromarray(make_image((30, 40, 3))).save(
        buffer, "JPEG", exif=exif, xmp=XMP, icc_profile=SRGB, dpi=(300, 240)
    )
    return decode_image(buffer.getvalue(), "photo")


TARGETS = [
    (suffix, dtype, channels)
    for suffix in (".png", ".tif", ".jpg", ".webp")
    for dtype in (np.uint8, np.uint16)
    for channels in (3, 4)
    if not (dtype == np.uint16 and suffix in (".jpg", ".webp"))
    and not (channels == 4 and suffix == ".jpg")
]


def written(photo, suffix, dtype, channels):
    pixels = make_image((*photo.pixels.shape[:2], channels), dtype)
    data = encode_image(pixels, Path(f"x{suffix}"), metadata=photo.metadata)
    return pixels, data


@each("suffix, dtype, channels", TARGETS)
def test_everything_is_kept_and_nothing_contradicts_the_pixels(suffix, dtype, channels):
    photo = camera_photo()
    assert photo.pixels.shape == (40, 30, 3)
    pixels, data = written(photo, suffix, dtype, channels)
    with PIL.Image.open(io.BytesIO(data)) as file:
        file.load()
        exif = file.getexif()
        camera, place = dict(exif.get_ifd(IFD.Exif)), dict(exif.get_ifd(IFD.GPSInfo))
        assert exif[MAKER] == "Maker"
        assert exif[COPYRIGHT].encode("latin-1").decode() == "\u00a9 J\u00fcrgen"
        assert exif.get(ORIENTATION, 1) == 1
        assert (camera[TIME], camera[APERTURE], camera[NOTE]) == (1 / 125, 2.8, b"maker\0note")
        assert (camera[WIDTH], camera[HEIGHT]) == (30, 40)
        assert INTEROP not in camera
        assert place == {1: "N", 2: (47.0, 30.0, 12.5)}
        assert file.info["icc_profile"] == SRGB
    again = decode_image(data, "again")
    assert again.metadata.xmp == XMP.replace(b'"6"', b'"1"')
    if suffix != ".webp":
        np.testing.assert_allclose(again.metadata.dpi, (300, 240), atol=0.01)
    if suffix != ".jpg":
        np.testing.assert_array_equal(again.pixels, pixels)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_another_reader_finds_one_sound_page_in_a_tiff_file(dtype):
    pixels, data = written(camera_photo(), ".tif", dtype, 3)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        (page,) = file.pages
        assert page.shape == pixels.shape
        assert page.tags[34675].value == SRGB
        assert page.tags["ExifTag"].value["FNumber"] == (28, 10) or page.tags["ExifTag"].value[
            "FNumber"
        ] == pytest.approx(2.8)
        assert page.tags["Make"].value == "Maker"
        assert page.tags["XResolution"].value == (300, 1)


def test_a_thumbnail_is_left_out():
    exif = PIL.Image.Exif()
    exif[MAKER] = "Maker"
    buffer = io.BytesIO()
    PIL.Image.fromarray(make_image((8, 8, 3))).save(buffer, "JPEG", exif=exif)
    data = bytearray(buffer.getvalue())
    # a second directory, where thumbnails are: JPEGInterchangeFormat and its length
    block = exif.tobytes()
    tiff = block[6:]
    count = int.from_bytes(tiff[8:10], "big")
    link = 10 + 12 * count
    second = len(tiff)
    entries = b"\0\2" + b"\2\1\0\4\0\0\0\1\0\0\0\x99" + b"\2\2\0\4\0\0\0\1\0\0\0\x09" + bytes(4)
    thumbnail = tiff[:link] + second.to_bytes(4, "big") + tiff[link + 4 :] + entries + b"THUMBNAIL"
    segment = b"Exif\0\0" + thumbnail
    old = data.index(b"\xff\xe1")
    length = int.from_bytes(data[old + 2 : old + 4], "big")
    marker = b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment
    data[old : old + 2 + length] = marker
    photo = decode_image(bytes(data), "photo")
    assert b"THUMBNAIL" in bytes(data)
    assert b"Maker" in photo.metadata.exif
    assert b"THUMBNAIL" not in photo.metadata.exif
    assert b"THUMBNAIL" not in encode_image(photo.pixels, Path("a.png"), metadata=photo.metadata)


@pytest.mark.parametrize(
    ("signature", "channels", "kept"),
    [(b"GRAY", 1, True), (b"GRAY", 3, False), (b"RGB ", 4, True), (b"RGB ", 2, False)],
)
def test_a_profile_stays_with_images_of_its_kind(signature, channels, kept):
    profile = bytes(16) + signature + bytes(8)
    fitted = fit_to_format(Metadata(icc_profile=profile), "PNG", channels)
    assert fitted.icc_profile == (profile if kept else None)


def test_what_is_too_long_for_jpeg_is_left_out():
    metadata = Metadata(xmp=b"<x>" + b" " * 70_000 + b"</x>", icc_profile=SRGB)
    data = encode_image(make_image((4, 4, 3)), Path("a.jpg"), metadata=metadata)
    assert decode_image(data, "a").metadata == Metadata(icc_profile=SRGB)
    data = encode_image(make_image((4, 4, 3)), Path("a.png"), metadata=metadata)
    assert len(decode_image(data, "a").metadata.xmp) == 70_007


@pytest.mark.parametrize("dpi", [(0, 0), (float("nan"), 72), (1e9, 72), (72,), "72"])
def test_a_resolution_that_makes_no_sense_is_left_out(dpi):
    picture = PIL.Image.fromarray(make_image((4, 4)))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    with PIL.Image.open(buffer) as file:
        file.info["dpi"] = dpi
        assert read_metadata(file, buffer.getvalue(), 1)[0].dpi is None


def test_formats_that_could_run_programs_are_not_opened():
    with pytest.raises(ValueError, match="it is a PostScript drawing"):
        decode_image(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n" + bytes(100), "a.eps")


def test_of_several_pictures_the_first_is_read_and_it_is_said():
    frames = [PIL.Image.fromarray(make_image((5, 6), seed=seed)) for seed in range(3)]
    for file_format in ("GIF", "TIFF", "WEBP"):
        buffer = io.BytesIO()
        frames[0].save(buffer, file_format, save_all=True, append_images=frames[1:], lossless=True)
        image = decode_image(buffer.getvalue(), "moving")
        assert image.pixels.shape[:2] == (5, 6)
        assert image.notes == ("holds more than one picture; only the first is read",)


@pytest.mark.parametrize(
    ("name", "shape", "dtype", "message"),
    [
        ("a.jpg", (10, 65_501, 3), np.uint8, "only sides up to 65500"),
        ("a.webp", (16_384, 10, 3), np.uint8, "only sides up to 16383"),
        ("a.tif", (40_000, 40_000, 3), np.uint8, "TIFF cannot hold 4.5 GiB; use .png"),
        ("a.png", (40_000, 40_000, 3), np.uint8, None),
    ],
)
def test_sizes_that_a_format_cannot_hold_are_known_before_anything_is_made(
    name, shape, dtype, message
):
    if message is None:
        check_format(Path(name), shape, dtype)
    else:
        with pytest.raises(ValueError, match=message):
            check_format(Path(name), shape, dtype)
