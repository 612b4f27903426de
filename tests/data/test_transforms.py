from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from semanir_arch.data.transforms import (
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


def test_orientations_are_the_eight_symmetries_of_a_square():
    image = make_image((4, 4, 3))
    symmetries = {
        np.rot90(flipped, turns).tobytes()
        for flipped, turns in product((image, image[:, ::-1]), range(4))
    }
    bits = product((False, True), repeat=3)
    assert {orient(image, Orientation(*flags)).tobytes() for flags in bits} == symmetries


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
