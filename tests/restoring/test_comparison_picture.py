from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from semanir_arch.data.files.image_encoding import encode_image
from semanir_arch.restoring.comparison_picture import fitting_picture, side_by_side
from tests.each import each
from tests.helpers import make_image


def test_both_images_stand_unchanged_beside_each_other():
    before, after = make_image((40, 60, 3), seed=1), make_image((40, 60, 3), seed=2)
    picture = side_by_side({"before": before, "after": after})
    assert picture.dtype == np.uint8
    rows = picture[-48:-8]
    np.testing.assert_array_equal(rows[:, 8:68], before)
    np.testing.assert_array_equal(rows[:, 76:136], after)


def test_labels_are_written_above_the_images():
    picture = side_by_side({"before": np.full((60, 90), 255, np.uint8)})
    assert picture[:28].min() < 100, "no dark text"
    assert (side_by_side({"": np.full((60, 90), 255, np.uint8)}) == 255).all()


def test_the_smaller_image_is_enlarged_to_the_larger():
    small, large = make_image((20, 30, 3)), make_image((40, 60, 3))
    picture = side_by_side({"before": small, "after": large})
    np.testing.assert_array_equal(picture[-48:-8, 8:68][::2, ::2], small)


@each("shape", [(1, 1), (2, 3, 1), (2, 3, 2), (2, 3, 4)])
@each("dtype", [np.uint8, np.uint16, np.float32])
def test_every_layout_and_type_can_be_drawn(shape, dtype):
    image = make_image(shape, dtype)
    assert side_by_side({"before": image, "after": image}).shape[2] == 3


def test_transparent_parts_are_white():
    picture = side_by_side({"before": np.zeros((5, 60, 4), np.uint8)})
    assert (picture[-13:-8] == 255).all()


def test_no_image_is_refused():
    with pytest.raises(ValueError, match="no image"):
        side_by_side({})


def test_a_caption_stands_whole_below_the_images():
    images = {"before": np.full((60, 200, 3), 255, np.uint8)}
    plain, named = side_by_side(images), side_by_side(images, "denoise (denoise.safetensors) " * 4)
    assert named.shape[1] == plain.shape[1]
    below = named[len(plain) :]
    dark = np.flatnonzero(below.min(axis=(1, 2)) < 100)
    assert len(dark) > 14, "no second line"
    # nothing touches the border
    assert (below[:, -4:] == 255).all()
    assert (below[-2:] == 255).all()


def test_a_picture_of_noise_is_reduced_to_the_bytes_it_may_take():
    image = make_image((300, 400, 3))
    picture = fitting_picture({"before": image, "after": image}, "noise", 200_000)
    size = len(encode_image(picture, Path("a.png")))
    assert 100_000 < size <= 200_000
    whole = fitting_picture({"before": image, "after": image}, "noise")
    np.testing.assert_array_equal(whole, side_by_side({"before": image, "after": image}, "noise"))
