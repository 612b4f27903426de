"""Of several pictures in a TIFF file, the full one is read, or none; never a small copy."""

from __future__ import annotations

import io

import numpy as np
import pytest

from semanir_arch.data.files.bounds import read_size
from semanir_arch.data.files.image_io import decode_image
from tests.each import each
from tests.helpers import make_image

tifffile = pytest.importorskip("tifffile", reason="extra `train`")

FULL, SMALL, OTHER = make_image((40, 60, 3)), make_image((10, 15, 3)), make_image((30, 30, 3))
DEEP = make_image((40, 60, 3), np.uint16)
NOTE = "begins with a small copy; the full picture behind it is read, with its own metadata"


def tiff(*pictures, order="<"):
    """A file of pictures (pixels, settings)."""
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer, byteorder=order) as file:
        for pixels, settings in pictures:
            photometric = "rgb" if pixels.ndim == 3 else "minisblack"
            file.write(pixels, photometric=photometric, metadata=None, **settings)
    return buffer.getvalue()


@each("order", ["<", ">"])
@each("full", [FULL, DEEP])
@each("settings", [{"subfiletype": 1}, {"subfiletype": 1, "subifds": 1}])
def test_a_full_picture_behind_its_small_copy_is_read(settings, full, order):
    data = tiff((SMALL, settings), (full, {"subfiletype": 0}), order=order)
    image = decode_image(data, "a.tif")
    np.testing.assert_array_equal(image.pixels, full)
    assert image.notes[0] == NOTE
    assert read_size(data, "a.tif") == (60, 40)


def test_copies_and_masks_between_are_passed_over():
    mask = np.zeros((40, 60), bool)
    data = tiff(
        (SMALL, {"subfiletype": 1}),
        (SMALL, {"subfiletype": 1}),
        (mask, {"subfiletype": 4}),
        (FULL, {"subfiletype": 0}),
    )
    np.testing.assert_array_equal(decode_image(data, "a.tif").pixels, FULL)


@pytest.mark.parametrize(
    ("pictures", "said"),
    [
        ([(SMALL, {"subfiletype": 1})], "its first picture is a small copy of another"),
        ([(SMALL, {"subfiletype": 1}), (SMALL, {"subfiletype": 1})], "its first picture is a"),
        ([(SMALL, {}), (FULL, {})], "smaller than another of the same shape, and no tag tells"),
    ],
)
def test_where_tags_do_not_tell_the_full_picture_the_file_is_refused(pictures, said):
    for work in (decode_image, read_size):
        with pytest.raises(ValueError, match=rf"^a\.tif: cannot be read as an image: .*{said}"):
            work(tiff(*pictures), "a.tif")


def test_the_first_of_several_full_pictures_is_read():
    copies = [(SMALL, {"subfiletype": 1}), (OTHER, {})]
    image = decode_image(tiff((FULL, {"subifds": 1}), *copies), "a.tif")
    np.testing.assert_array_equal(image.pixels, FULL)
    assert image.notes == ("holds more than one picture; only the first is read",)
    np.testing.assert_array_equal(decode_image(tiff((OTHER, {}), (FULL, {})), "a").pixels, OTHER)
