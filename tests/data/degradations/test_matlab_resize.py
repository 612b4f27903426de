from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semanir_arch import host
from semanir_arch.data.degradations.matlab_resize import crop_to_multiple, matlab_resize
from semanir_arch.data.files.image_io import load_image
from tests.each import each
from tests.helpers import ROOT, make_image

TEST_SETS = ROOT / "datasets" / "test"


def kernel(x):
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def resize_line(line, scale):
    """One axis by the formula: a weighted sum over every sample that the kernel reaches."""
    stretch = min(scale, 1)
    result = []
    for place in range(math.ceil(len(line) * scale)):
        center = (place + 0.5) / scale - 0.5
        reach = math.ceil(2 / stretch) + 1
        total = weight_sum = 0.0
        for position in range(math.floor(center) - reach, math.floor(center) + reach + 1):
            weight = kernel((center - position) * stretch)
            mirrored = position % (2 * len(line))
            mirrored = mirrored if mirrored < len(line) else 2 * len(line) - 1 - mirrored
            total += weight * line[mirrored]
            weight_sum += weight
        result.append(total / weight_sum)
    return np.array(result)


def resize_by_formula(image, scale, round_to=lambda values: values):
    rows = round_to(np.apply_along_axis(resize_line, 0, image.astype(float), scale))
    return round_to(np.apply_along_axis(resize_line, 1, rows, scale))


sizes = st.tuples(st.integers(1, 20), st.integers(1, 20))

scales = st.sampled_from([1 / 4, 1 / 3, 1 / 2, 0.37, 0.8, 1, 1.5, 2, 3, 4.2])


@given(size=sizes, scale=scales, channels=st.sampled_from([None, 1, 3]))
def test_floats_follow_the_formula(size, scale, channels):
    image = make_image((*size, *([channels] if channels else [])), np.float64)
    resized = matlab_resize(image, scale)
    np.testing.assert_allclose(resized, resize_by_formula(image, scale), rtol=0, atol=1e-12)


@given(size=sizes, scale=scales, dtype=st.sampled_from([np.uint8, np.uint16]))
def test_integers_are_rounded_after_each_pass(size, scale, dtype):
    image = make_image((*size, 3), dtype)

    def round_half_up(values):
        return np.floor(np.clip(values, 0, np.iinfo(dtype).max) + 0.5 + 1e-8)

    resized = matlab_resize(image, scale)
    assert resized.dtype == dtype
    np.testing.assert_array_equal(resized, resize_by_formula(image, scale, round_half_up))


@pytest.mark.parametrize("scale", [1 / 4, 1 / 3, 1 / 2, 1.5, 2, 3])
def test_floats_are_those_of_basicsr(scale):
    image = make_image((48, 60, 3), np.float32)
    expected = host.load("basicsr.utils.matlab_functions").imresize(image, scale)
    # BasicSR places its samples in single precision
    np.testing.assert_allclose(matlab_resize(image, scale), expected, rtol=0, atol=2e-5)


@each("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@each("scale", [1 / 2, 2])
def test_memory_order_changes_nothing_but_itself(dtype, scale):
    image = make_image((20, 24, 3), dtype)
    planar = np.ascontiguousarray(image.transpose(2, 0, 1)).transpose(1, 2, 0)
    interleaved, view = matlab_resize(image, scale), matlab_resize(planar, scale)
    if image.dtype.kind == "u":
        np.testing.assert_array_equal(interleaved, view)
    else:
        np.testing.assert_allclose(interleaved, view, rtol=0, atol=8 * np.finfo(dtype).eps)
    assert interleaved.flags.c_contiguous
    assert view.transpose(2, 0, 1).flags.c_contiguous


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_integers_may_be_flipped_before_or_after(dtype):
    image = make_image((20, 24, 3), dtype)
    for axis in (0, 1):
        np.testing.assert_array_equal(
            np.flip(matlab_resize(np.flip(image, axis), 1 / 2), axis), matlab_resize(image, 1 / 2)
        )


def test_exact_halves_round_up():
    image = np.tile(np.array([[3, 4]], np.uint8), (8, 8))
    inside = (slice(None), slice(2, -2))
    assert (resize_by_formula(image, 1 / 2)[inside] == 3.5).all()
    assert (matlab_resize(image, 1 / 2)[inside] == 4).all()


def test_sizes_are_rounded_up():
    assert matlab_resize(make_image((7, 10, 3)), 1 / 3).shape == (3, 4, 3)
    assert matlab_resize(make_image((5, 4)), 1.5).shape == (8, 6)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", ["Set5", "Set14"])
def test_published_low_resolution_images_are_reproduced(name, scale):
    folder = TEST_SETS / name
    if not folder.is_dir():
        pytest.skip(f"datasets/test/{name} is not there")
    paths = sorted((folder / "HR").iterdir())
    assert len(paths) == {"Set5": 5, "Set14": 14}[name]
    for path in paths:
        high = crop_to_multiple(load_image(path).pixels, scale)
        stored = load_image(folder / f"LR_bicubic/X{scale}/{path.stem}x{scale}.png").pixels
        np.testing.assert_array_equal(matlab_resize(high, 1 / scale), stored, err_msg=path.name)


def test_surplus_is_cut_off():
    image = make_image((10, 13, 3))
    np.testing.assert_array_equal(crop_to_multiple(image, 4), image[:8, :12])
    with pytest.raises(ValueError, match="an image of 10 x 13 has no multiple of 11 in it"):
        crop_to_multiple(image, 11)


@pytest.mark.parametrize(
    ("image", "scale", "error", "message"),
    [
        (np.zeros((4, 4), np.int32), 0.5, TypeError, "uint8, uint16, .* received int32"),
        (np.zeros(4, np.uint8), 0.5, ValueError, r"received \(4,\)"),
        (np.zeros((0, 4), np.uint8), 0.5, ValueError, "not empty"),
        (np.zeros((4, 4), np.uint8), 0, ValueError, "scale must be above 0, received 0"),
        (np.zeros((4, 4), np.uint8), math.nan, ValueError, "scale must be above 0"),
    ],
)
def test_bad_arguments_are_refused(image, scale, error, message):
    with pytest.raises(error, match=message):
        matlab_resize(image, scale)
