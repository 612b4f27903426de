from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from semanir_arch.data.datasets.transforms import (
    Orientation,
    crop,
    draw_orientation,
    draw_position,
    orient,
    pad_to_size,
)
from tests.helpers import make_image


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def every_orientation():
    return [Orientation(*flags) for flags in product((False, True), repeat=3)]


def test_orientations_are_the_eight_symmetries_of_a_square():
    image = make_image((4, 4, 3))
    symmetries = {
        np.rot90(flipped, turns).tobytes()
        for flipped, turns in product((image, image[:, ::-1]), range(4))
    }
    assert {
        orient(image, orientation).tobytes() for orientation in every_orientation()
    } == symmetries


@pytest.mark.parametrize(
    ("flip", "rotate", "count"),
    [(True, True, 8), (True, False, 2), (False, True, 4), (False, False, 1)],
)
def test_only_allowed_orientations_are_drawn(generator, flip, rotate, count):
    drawn = [draw_orientation(generator, flip, rotate) for _ in range(400)]
    assert len(set(drawn)) == count
    assert all(drawn.count(orientation) > 200 / count for orientation in set(drawn))


def test_crops_reach_every_place(generator):
    places = {draw_position(5, 4, 3, generator) for _ in range(200)}
    assert places == set(product(range(3), range(2)))


def test_crop_as_large_as_the_image_is_the_image(generator):
    image = make_image((6, 6, 1))
    np.testing.assert_array_equal(crop(image, *draw_position(6, 6, 6, generator), 6), image)


def test_crop_larger_than_the_image_is_refused(generator):
    with pytest.raises(ValueError, match="a crop of 7 does not fit into an image of 6 x 8"):
        draw_position(6, 8, 7, generator)


def test_small_images_are_reflected_at_bottom_and_right():
    row = np.arange(3, dtype=np.uint8).reshape(1, 3, 1)
    padded = pad_to_size(row, 6)
    assert padded.shape == (6, 6, 1)
    np.testing.assert_array_equal(padded[..., 0], np.tile([0, 1, 2, 1, 0, 1], (6, 1)))


def test_large_images_are_not_padded():
    image = make_image((8, 5, 3))
    assert pad_to_size(image, 5) is image


@given(
    height=st.integers(1, 7),
    width=st.integers(1, 7),
    first=st.integers(0, 7),
    second=st.integers(0, 7),
)
def test_orientations_form_a_group(height, width, first, second):
    image = np.arange(height * width).reshape(height, width, 1)
    turned = orient(orient(image, every_orientation()[first]), every_orientation()[second])
    alike = [o for o in every_orientation() if np.array_equal(orient(image, o), turned)]
    assert alike
    assert any(
        np.array_equal(orient(orient(image, every_orientation()[first]), o), image)
        for o in every_orientation()
    )


@given(
    height=st.integers(1, 6),
    width=st.integers(1, 6),
    scale=st.integers(1, 4),
    size=st.integers(1, 8),
    seed=st.integers(0, 2**32),
    number=st.integers(0, 7),
)
def test_images_of_two_resolutions_stay_aligned(height, width, scale, size, seed, number):
    """Every small pixel and the block of large pixels it stands for go the same way."""
    small = np.arange(height * width).reshape(height, width, 1)
    large = small.repeat(scale, axis=0).repeat(scale, axis=1)
    small = pad_to_size(small, size, mode="symmetric")
    large = pad_to_size(large, size * scale, mode="symmetric")
    generator = torch.Generator().manual_seed(seed)
    top, left = draw_position(*small.shape[:2], size, generator)
    orientation = every_orientation()[number]
    one = orient(crop(small, top, left, size), orientation)
    other = orient(crop(large, top * scale, left * scale, size * scale), orientation)
    assert one.shape == (size, size, 1)
    np.testing.assert_array_equal(other, one.repeat(scale, axis=0).repeat(scale, axis=1))


@given(height=st.integers(1, 9), width=st.integers(1, 9), size=st.integers(1, 20))
def test_padding_keeps_the_image_and_adds_nothing_new(height, width, size):
    image = make_image((height, width, 3), seed=size)
    for mode in ("reflect", "symmetric"):
        padded = pad_to_size(image, size, mode=mode)
        assert padded.shape == (max(height, size), max(width, size), 3)
        np.testing.assert_array_equal(padded[:height, :width], image)
        # along each axis the picture runs back and forth
        period = {"reflect": 2 * height - 2, "symmetric": 2 * height}[mode] or 1
        for row in range(padded.shape[0] - period):
            np.testing.assert_array_equal(padded[row], padded[row + period])
