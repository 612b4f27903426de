from __future__ import annotations

import io

import cv2
import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semanir_arch.data.degradations.jpeg import (
    CHROMA,
    ENCODERS,
    compress_jpeg,
    compress_jpeg_region,
)
from tests.each import each
from tests.helpers import make_image


def picture(height=70, width=90, channels=3):
    """Smooth colors with edges: what JPEG changes a little, differently in each channel."""
    rows, columns = np.mgrid[:height, :width]
    waves = [
        np.sin(rows / 5 + columns / (4 + c)) * 60 + 40 * (columns > 30 + 5 * c) for c in range(3)
    ]
    return (np.stack(waves[:channels], axis=2) + 100).astype(np.uint8)


@pytest.mark.parametrize("quality", [10, 40, 90])
@pytest.mark.parametrize("chroma", CHROMA)
def test_pixels_are_those_of_a_file(tmp_path, quality, chroma):
    image = picture()
    sampling = {"4:2:0": "420", "4:4:4": "444"}[chroma]
    flag = getattr(cv2, f"IMWRITE_JPEG_SAMPLING_FACTOR_{sampling}")
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, flag]
    cv2.imwrite(str(tmp_path / "a.jpg"), image[..., ::-1], settings)
    expected = cv2.imread(str(tmp_path / "a.jpg"))[..., ::-1]
    np.testing.assert_array_equal(compress_jpeg(image, quality, chroma=chroma), expected)


def test_default_is_what_pillow_saves_by_itself():
    buffer = io.BytesIO()
    PIL.Image.fromarray(picture()).save(buffer, "JPEG", quality=30)
    expected = np.asarray(PIL.Image.open(buffer))
    np.testing.assert_array_equal(compress_jpeg(picture(), 30), expected)


@given(
    quality=st.integers(1, 100),
    chroma=st.sampled_from(CHROMA),
    channels=st.sampled_from([1, 3]),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
)
def test_encoders_agree(quality, chroma, channels, height, width):
    image = make_image((height, width, channels))
    first, second = (compress_jpeg(image, quality, chroma=chroma, encoder=e) for e in ENCODERS)
    assert first.shape == image.shape
    np.testing.assert_array_equal(first, second)


@given(data=st.data())
def test_a_region_is_a_crop_of_the_compressed_image(data):
    height, width = data.draw(st.integers(1, 70)), data.draw(st.integers(1, 90))
    channels = data.draw(st.sampled_from([1, 3]))
    image = picture(height, width, channels)
    rows, columns = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    top = data.draw(st.integers(0, height - rows))
    left = data.draw(st.integers(0, width - columns))
    quality, chroma = data.draw(st.integers(1, 100)), data.draw(st.sampled_from(CHROMA))
    whole = compress_jpeg(image, quality, chroma=chroma)
    region = compress_jpeg_region(image, top, left, rows, columns, quality, chroma=chroma)
    np.testing.assert_array_equal(region, whole[top : top + rows, left : left + columns])


def test_lower_quality_and_halved_chroma_lose_more():
    image = picture()

    def error(quality, chroma="4:2:0"):
        return np.square(compress_jpeg(image, quality, chroma=chroma).astype(float) - image).mean()

    assert error(10) > error(40) > error(95) > 0
    assert error(90) > error(90, "4:4:4")


@each("quality", [40, 40.0, np.float32(40), np.int64(40)])
@each("encoder", ENCODERS)
def test_quality_may_be_any_whole_number(quality, encoder):
    """BasicSR hands a float to OpenCV, which refuses it."""
    expected = compress_jpeg(picture(), 40)
    np.testing.assert_array_equal(compress_jpeg(picture(), quality, encoder=encoder), expected)


def test_views_are_read_and_left_alone():
    image = picture()
    turned = image[::-1].swapaxes(0, 1)
    before = image.copy()
    expected = compress_jpeg(np.ascontiguousarray(turned), 20)
    np.testing.assert_array_equal(compress_jpeg(turned, 20), expected)
    np.testing.assert_array_equal(image, before)


@each(
    "image, options, error, message",
    [
        (np.zeros((4, 4, 3), np.uint16), {}, TypeError, "must be uint8, received uint16"),
        (np.zeros((4, 4), np.uint8), {}, ValueError, r"received \(4, 4\)"),
        (np.zeros((4, 4, 4), np.uint8), {}, ValueError, r"received \(4, 4, 4\)"),
        (np.zeros((1, 65501, 1), np.uint8), {}, ValueError, "up to 65500 pixels a side"),
        (picture(), {"quality": 0}, ValueError, "quality must be an integer from 1 to 100, .* 0"),
        (picture(), {"quality": 30.5}, ValueError, "received 30.5"),
        (picture(), {"chroma": "4:1:1"}, ValueError, "chroma must be one of 4:2:0, 4:4:4"),
        (picture(), {"encoder": "cv2"}, ValueError, "encoder must be one of opencv, pillow"),
    ],
)
def test_bad_arguments_are_refused(image, options, error, message):
    with pytest.raises(error, match=message):
        compress_jpeg(image, **{"quality": 50, **options})
