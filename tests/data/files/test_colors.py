"""Colors that a file describes by numbers end up in a profile, or in a note."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageCms
import pytest
from PIL.ExifTags import IFD

from semanir_arch.data.files.image_encoding import encode_image, lost_metadata
from semanir_arch.data.files.image_io import decode_image
from semanir_arch.data.files.image_metadata import Metadata
from semanir_arch.data.files.profiles import (
    BT709,
    SRGB_CURVE,
    ToneCurve,
    color_from_gray,
    make_profile,
)
from tests.data.files.made import bmp_v5, plain_png, png, saved, with_opencv
from tests.each import each
from tests.helpers import make_image

SRGB = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
ADOBE = (0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
P3 = (0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
BT709_CORNERS = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
WHITE = (0.3127, 0.3290)


def to_srgb(rgb, corners, decode):
    """Colorimetry by the book (SMPTE RP 177), without any profile: floats RGB -> 8-bit sRGB."""

    def matrix(points):
        xyz = np.array([[x / y, 1, (1 - x - y) / y] for x, y in np.reshape(points, (3, 2))]).T
        white = np.array([WHITE[0] / WHITE[1], 1, (1 - sum(WHITE)) / WHITE[1]])
        return xyz * np.linalg.solve(xyz, white)

    light = decode(rgb) @ (np.linalg.inv(matrix(BT709_CORNERS)) @ matrix(corners)).T
    light = light.clip(0, 1)
    coded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return 255 * coded


def seen(profile, pixels):
    """What a color-managed viewer shows: 8-bit sRGB by littlecms."""
    mode = "L" if pixels.ndim == 2 else "RGB"
    source = PIL.ImageCms.ImageCmsProfile(io.BytesIO(profile))
    transform = PIL.ImageCms.buildTransform(
        source, PIL.ImageCms.createProfile("sRGB"), mode, "RGB", renderingIntent=1
    )
    return np.asarray(PIL.ImageCms.applyTransform(PIL.Image.fromarray(pixels), transform))


def srgb_light(x):
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def bt709_light(x):
    return np.where(x < 0.081, x / 4.5, ((x + 0.099) / 1.099) ** (1 / 0.45))


def fixed(*values):
    return struct.pack(f">{len(values)}I", *(round(value * 100_000) for value in values))


def camera_jpeg(tags):
    exif = PIL.Image.Exif()
    exif[IFD.Exif] = tags
    return saved("JPEG", exif=exif)


def white_xyz(corners):
    """Primaries whose sum is the white."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in np.reshape(corners, (3, 2))]).T
    white = np.array([WHITE[0] / WHITE[1], 1, (1 - sum(WHITE)) / WHITE[1]])
    return (columns * np.linalg.solve(columns, white)).T


DESCRIBED = {
    "PNG gAMA": (plain_png((b"gAMA", fixed(1))), BT709_CORNERS, lambda x: x),
    "PNG gAMA and cHRM": (
        plain_png((b"gAMA", fixed(1 / 2.2)), (b"cHRM", fixed(*WHITE, *ADOBE))),
        ADOBE,
        lambda x: x**2.2,
    ),
    "PNG cHRM": (plain_png((b"cHRM", fixed(*WHITE, *P3))), P3, srgb_light),
    "PNG cICP": (plain_png((b"cICP", bytes([12, 13, 0, 1]))), P3, srgb_light),
    "PNG cICP of video": (plain_png((b"cICP", bytes([1, 1, 0, 1]))), BT709_CORNERS, bt709_light),
    "PNG cICP before a profile": (
        plain_png((b"cICP", bytes([12, 13, 0, 1])), (b"gAMA", fixed(1))),
        P3,
        srgb_light,
    ),
    "PNG in 16 bits": (
        png(make_image((6, 5, 3), np.uint16), 16, 2, (b"gAMA", fixed(1))),
        BT709_CORNERS,
        lambda x: x,
    ),
    "JPEG by interoperability": (
        camera_jpeg({40961: 65535, 40965: {1: "R03"}}),
        ADOBE,
        lambda x: x ** (563 / 256),
    ),
    "TIFF tags": (
        saved("TIFF", tiffinfo={318: WHITE, 319: P3}),
        P3,
        lambda x: x**2.2,
    ),
    "BMP": (bmp_v5(white_xyz(ADOBE), 1.8), ADOBE, lambda x: x**1.8),
}


@each("name", DESCRIBED)
def test_a_profile_shows_the_colours_that_the_numbers_mean(name):
    data, corners, decode = DESCRIBED[name]
    image = decode_image(data, "image")
    assert image.notes == ()
    grid = np.stack(np.meshgrid(*[np.arange(0, 256, 51)] * 3), -1).reshape(-1, 1, 3)
    shown = seen(image.icc_profile, grid.astype(np.uint8)).astype(float)
    np.testing.assert_allclose(shown, to_srgb(grid / 255, corners, decode), atol=2.5)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
def test_the_profile_is_written_into_every_format_that_holds_one(suffix):
    image = decode_image(DESCRIBED["PNG gAMA and cHRM"][0], "image")
    written = encode_image(image.pixels, Path(f"a{suffix}"), metadata=image.metadata)
    assert decode_image(written, "a").icc_profile == image.icc_profile


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_gray_levels_mean_the_same_in_gray_and_as_three_channels(suffix):
    gray = png(make_image((6, 5, 1)), 8, 0, (b"gAMA", fixed(1)))
    image = decode_image(gray, "gray")
    written = encode_image(image.pixels, Path(f"a{suffix}"), metadata=image.metadata)
    again = decode_image(written, "a")
    levels = np.arange(0, 256, 15, dtype=np.uint8)[None]
    expected = to_srgb(np.repeat(levels[..., None] / 255, 3, 2), BT709_CORNERS, lambda x: x)
    for read in (image, again):
        pixels = levels if read.pixels.shape[2] == 1 else np.repeat(levels[..., None], 3, 2)
        np.testing.assert_allclose(seen(read.icc_profile, pixels), expected, atol=2)


def test_a_standard_picture_needs_no_profile_and_keeps_its_mark():
    for chunks in (
        ((b"sRGB", b"\2"), (b"gAMA", fixed(1 / 2.2))),
        ((b"cICP", bytes([1, 13, 0, 1])),),
    ):
        image = decode_image(plain_png(*chunks), "image")
        assert (image.icc_profile, image.notes) == (None, ())
        assert b"sRGB" in encode_image(image.pixels, Path("a.png"), metadata=image.metadata)
    image = decode_image(plain_png(), "image")
    assert b"sRGB" not in encode_image(image.pixels, Path("a.png"), metadata=image.metadata)


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_high_dynamic_range_is_noted_and_stays_in_png(transfer, name):
    avif = bytearray(with_opencv(".avif", make_image((16, 16, 3))))
    place = avif.index(b"colrnclx") + 8
    avif[place : place + 4] = struct.pack(">HH", 9, transfer)
    for data in (plain_png((b"cICP", bytes([9, transfer, 0, 1]))), bytes(avif)):
        image = decode_image(data, "image")
        (note,) = image.notes
        assert f"is of high dynamic range ({name})" in note
        written = encode_image(image.pixels, Path("a.png"), metadata=image.metadata)
        assert b"cICP" + bytes([9, transfer, 0, 1]) in written


def test_the_codes_of_an_avif_file_count():
    avif = bytearray(with_opencv(".avif", make_image((16, 16, 3))))
    place = avif.index(b"colrnclx") + 8
    for codes, described in (((2, 2), False), ((1, 13), False), ((12, 13), True), ((1, 8), True)):
        avif[place : place + 4] = struct.pack(">HH", *codes)
        image = decode_image(bytes(avif), "image")
        assert (image.icc_profile is not None, image.notes) == (described, ())


def test_profiles_in_unusual_places_are_found():
    jp2 = with_opencv(".jp2", make_image((64, 64, 3)))
    start = jp2.index(b"colr") - 4
    (length,) = struct.unpack_from(">I", jp2, start)
    header = jp2.index(b"jp2h") - 4
    (size,) = struct.unpack_from(">I", jp2, header)
    colr = struct.pack(">I", 11 + len(SRGB)) + b"colr\2\0\0" + SRGB
    jp2 = (
        jp2[:header]
        + struct.pack(">I", size - length + len(colr))
        + jp2[header + 4 : start]
        + colr
        + jp2[start + length :]
    )
    gif = saved("GIF", "P")
    blocks = b"".join(
        bytes([len(SRGB[i : i + 255])]) + SRGB[i : i + 255] for i in range(0, len(SRGB), 255)
    )
    place = 13 + 3 * 2 ** ((gif[10] & 7) + 1)
    gif = gif[:place] + b"\x21\xff\x0bICCRGBG1012" + blocks + b"\0" + gif[place:]
    for data in (jp2, gif, bmp_v5(profile=SRGB)):
        assert decode_image(data, "image").icc_profile == SRGB


@pytest.mark.parametrize(
    ("data", "note"),
    [
        (plain_png((b"gAMA", bytes(4))), "has a damaged color description"),
        (plain_png((b"cHRM", bytes(32))), "has a damaged color description"),
        (plain_png((b"cICP", bytes([9, 9, 0, 1]))), "as code 9/9 of H.273, which is not kept"),
        (
            camera_jpeg({40961: 65535}),
            "says that its colors are not those of sRGB, but not which",
        ),
    ],
)
def test_what_cannot_be_kept_is_noted(data, note):
    image = decode_image(data, "image")
    assert image.icc_profile is None
    assert [note in line for line in image.notes] == [True]


def test_our_srgb_profile_is_that_of_others():
    grid = np.stack(np.meshgrid(*[np.arange(0, 256, 51)] * 3), -1).reshape(-1, 1, 3)
    profile = make_profile(BT709, SRGB_CURVE, "sRGB", gray=False)
    np.testing.assert_allclose(seen(profile, grid.astype(np.uint8)), grid, atol=1)
    assert color_from_gray(profile) is None
    assert color_from_gray(b"") is None
    assert make_profile(BT709, ToneCurve(2.2), "a", gray=True)[16:20] == b"GRAY"


def test_what_a_format_cannot_hold_is_noted():
    image = decode_image(bmp_v5(white_xyz(ADOBE), 1.8), "image")
    (note,) = lost_metadata(Path("a.bmp"), image.metadata, image.pixels)
    assert note == "has a color profile that BMP cannot keep"
    assert lost_metadata(Path("a.png"), image.metadata, image.pixels) == ()
    long = Metadata(exif=bytes(70_000), xmp=bytes(70_000), icc_profile=SRGB)
    (note,) = lost_metadata(Path("a.jpg"), long, image.pixels)
    assert note == "has EXIF data and XMP data that JPEG cannot keep"
