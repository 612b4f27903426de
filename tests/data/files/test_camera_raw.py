"""Camera raw files: developed as colorimetry says, and the mosaic that the sensor saw."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from semanir_arch.data.files.bounds import read_size
from semanir_arch.data.files.image_io import decode_image, load_image, load_mosaic, write_image
from semanir_arch.data.sources.source_opening import open_source
from tests.data.files.made import DNG_WHITE, dng, saved, seen_through
from tests.each import each

resource = pytest.importorskip("resource", reason="not on Windows")
pytest.importorskip("rawpy", reason="extra `formats`")
pytest.importorskip("tifffile", reason="extra `train`")

# Pillow, of damaged directories
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

ROWS, COLUMNS = np.mgrid[:48, :64] / 64
SCENE = np.stack([0.1 + 0.5 * COLUMNS, 0.1 + 0.6 * ROWS, np.full_like(ROWS, 0.3)], axis=2)
"""A smooth picture in linear sRGB, which every demosaicking gives back."""


def expected(scene=SCENE):
    """Levels of IEC 61966-2-1."""
    curve = np.where(scene <= 0.0031308, scene * 12.92, 1.055 * scene ** (1 / 2.4) - 0.055)
    return curve * 65535


def upright(pixels, orientation):
    """EXIF 2.3, tag 274: which side of the stored picture is above, and which to the left."""
    pixels = np.asarray(pixels)
    return {
        1: pixels,
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.swapaxes(0, 1),
        6: pixels[::-1].swapaxes(0, 1),
        7: pixels[::-1, ::-1].swapaxes(0, 1),
        8: pixels[:, ::-1].swapaxes(0, 1),
    }[orientation]


@each("orientation", range(1, 9))
def test_raw_files_are_developed_upright_with_the_cameras_white_balance(orientation):
    data = dng(seen_through(SCENE), orientation=orientation)
    image = decode_image(data, "a.dng")
    wanted = upright(expected(), orientation)
    assert image.pixels.dtype == np.uint16
    assert image.pixels.shape == wanted.shape
    assert read_size(data, "a.dng") == wanted.shape[1::-1]
    # the sensor has 3840 levels; at the border LibRaw has fewer neighbors
    np.testing.assert_allclose(image.pixels[4:-4, 4:-4], wanted[4:-4, 4:-4], atol=40)
    assert image.notes == ()


@each("orientation", range(1, 9))
def test_the_mosaic_becomes_the_picture_once_it_is_demosaicked(tmp_path, orientation):
    path = tmp_path / "a.dng"
    path.write_bytes(dng(seen_through(SCENE), orientation=orientation))
    mosaic = load_mosaic(path)
    assert mosaic.bayer == "rggb"
    assert mosaic.pixels.shape == (48, 64, 1)
    for row, column, color in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
        np.testing.assert_allclose(
            mosaic.pixels[row::2, column::2, 0], expected()[row::2, column::2, color], atol=40
        )
    finished = mosaic.finish(np.rint(expected()).astype(np.uint16))
    np.testing.assert_allclose(finished, upright(expected(), orientation), atol=40)


@pytest.mark.parametrize(
    ("pattern", "letters"),
    [(b"\0\1\1\2", "rggb"), (b"\2\1\1\0", "bggr"), (b"\1\0\2\1", "grbg"), (b"\1\2\0\1", "gbrg")],
)
def test_every_bayer_filter_is_told_apart(tmp_path, pattern, letters):
    path = tmp_path / "a.dng"
    path.write_bytes(dng(seen_through(SCENE, pattern), pattern=pattern))
    assert load_mosaic(path).bayer == letters
    np.testing.assert_allclose(load_image(path).pixels[4:-4, 4:-4], expected()[4:-4, 4:-4], atol=40)


def test_only_raw_files_of_bayer_sensors_have_a_mosaic(tmp_path):
    (tmp_path / "a.png").write_bytes(saved("PNG"))
    assert load_mosaic(tmp_path / "a.png") is None
    linear = np.repeat(seen_through(SCENE)[..., None], 3, axis=2)
    (tmp_path / "a.dng").write_bytes(dng(linear, photometric=34892))
    assert load_image(tmp_path / "a.dng").pixels.shape == (48, 64, 3)
    with pytest.raises(ValueError, match=r"a\.dng: .*its sensor has no Bayer filter"):
        load_mosaic(tmp_path / "a.dng")


def test_a_bright_spot_does_not_make_the_picture_darker_or_pink():
    scene = SCENE.copy()
    scene[20:30, 20:30] = 4.0
    values = np.minimum(seen_through(scene), DNG_WHITE)
    pixels = decode_image(dng(values.astype(np.uint16)), "a").pixels
    assert pixels[25, 25].min() > 65000
    np.testing.assert_allclose(pixels[35:44, 35:60], expected()[35:44, 35:60], atol=40)


def test_exif_is_kept_and_the_thumbnail_and_xmp_are_not():
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
    tags = [(315, "s", 0, "Somebody", True), (700, "B", len(xmp), xmp, True)]
    image = decode_image(dng(seen_through(SCENE), exif=tags), "a")
    assert b"Somebody" in image.metadata.exif
    assert b"Camera" in image.metadata.exif
    assert image.metadata.xmp is None
    assert len(image.metadata.exif) < 400


@pytest.mark.parametrize("left", [8, 100, 2000, 5000, -2])
def test_a_raw_file_that_is_cut_short_is_refused(left):
    data = dng(seen_through(SCENE))[:left]
    for work in (decode_image, read_size):
        with pytest.raises(ValueError, match=r"^a\.dng: cannot be read as an image: "):
            work(data, "a.dng")


def test_sizes_that_a_file_cannot_hold_are_refused_before_anything_is_reserved():
    data = bytearray(dng(seen_through(SCENE)))
    # the directory of the sensor's values is the last: width and height are its second and third
    place = data.rindex(struct.pack("<HHII", 256, 4, 1, 64))
    assert data[place + 12 : place + 24] == struct.pack("<HHII", 257, 4, 1, 48)
    for side in (8_000, 60_000):
        data[place + 8 : place + 12] = data[place + 20 : place + 24] = struct.pack("<I", side)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for work in (decode_image, read_size):
            with pytest.raises(ValueError, match=r"a\.dng: .*pixels cannot be in|LibRaw"):
                work(bytes(data), "a.dng")
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024


def test_data_sets_read_raw_files(tmp_path):
    (tmp_path / "a.DNG").write_bytes(dng(seen_through(SCENE)))
    write_image(tmp_path / "b.png", np.zeros((8, 8, 3), np.uint8))
    source = open_source(tmp_path)
    assert [*source.names] == ["a", "b"]
    assert source.read(0).shape == (48, 64, 3)
