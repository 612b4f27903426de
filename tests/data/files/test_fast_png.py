from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

from semanir_arch.data.files import fast_png
from semanir_arch.data.files.image_io import decode_image
from tests.each import each
from tests.helpers import make_image

SHAPES = [(1, 1, 1), (7, 1, 3), (1, 9, 3), (33, 20, 1), (16, 31, 2), (40, 24, 3), (13, 17, 4)]


@pytest.fixture(params=[True, False], ids=["isal", "zlib"])
def compressor(request, monkeypatch):
    if request.param:
        pytest.importorskip("isal", reason="isal is not installed")
    monkeypatch.setattr(fast_png, "_HAS_ISAL", request.param)


@each("dtype", [np.uint8, np.uint16])
@each("shape", SHAPES)
def test_other_decoders_read_the_same_pixels(compressor, shape, dtype):
    pixels = make_image(shape, dtype)
    data = fast_png.encode_fast_png(pixels)
    np.testing.assert_array_equal(decode_image(data, "x").pixels, pixels)
    if shape[2] in (1, 3):
        opened = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        opened = opened.reshape(*opened.shape[:2], -1)[..., ::-1]
        np.testing.assert_array_equal(opened, pixels)


def test_views_of_an_image_are_encoded_as_they_look(compressor, tmp_path):
    pixels = make_image((40, 50, 3))
    path = tmp_path / "crop.png"
    path.write_bytes(fast_png.encode_fast_png(pixels[5:25:2, 7:39]))
    np.testing.assert_array_equal(np.asarray(Image.open(path)), pixels[5:25:2, 7:39])


def test_smooth_pictures_become_small(compressor):
    ramp = np.add.outer(np.arange(256), np.arange(256))
    pixels = np.repeat((ramp // 2).astype(np.uint8)[..., None], 3, axis=2)
    assert len(fast_png.encode_fast_png(pixels)) < pixels.size / 4


@pytest.mark.parametrize(
    ("pixels", "error"),
    [
        (np.zeros((4, 4, 3), np.float32), TypeError),
        (np.zeros((4, 4), np.uint8), ValueError),
        (np.zeros((4, 4, 5), np.uint8), ValueError),
        (np.zeros((0, 4, 3), np.uint8), ValueError),
    ],
)
def test_other_arrays_are_refused(pixels, error):
    with pytest.raises(error, match="pixels must be"):
        fast_png.encode_fast_png(pixels)
