from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from semanir_arch.data.datasets.training_patch import (
    TrainingPatch,
    draw_patch,
    to_tensor,
    without_margin,
)
from semanir_arch.data.datasets.transforms import Orientation, orient
from tests.helpers import make_image

IMAGE = make_image((12, 15, 3))
orientations = st.builds(Orientation, st.booleans(), st.booleans(), st.booleans())


@given(
    orientation=orientations,
    top=st.integers(0, 5),
    left=st.integers(0, 8),
    margin=st.integers(0, 9),
)
def test_surroundings_are_the_image_or_its_reflection(orientation, top, left, margin):
    patch = TrainingPatch(IMAGE, 3, top, left, 7, orientation)
    padded = np.pad(IMAGE, [(9, 9), (9, 9), (0, 0)], mode="reflect")
    first = top + 9 - margin, left + 9 - margin
    side = 7 + 2 * margin
    expected = orient(padded[first[0] : first[0] + side, first[1] : first[1] + side], orientation)
    surrounded = patch.pixels(margin)
    np.testing.assert_array_equal(surrounded, expected)
    inside = without_margin(to_tensor(surrounded), margin)
    assert torch.equal(inside, to_tensor(patch.pixels()))


def test_reflection_reaches_beyond_small_images():
    patch = TrainingPatch(IMAGE[:5, :5], 3, 0, 0, 5, Orientation())
    expected = np.pad(IMAGE[:5, :5], [(11, 11), (11, 11), (0, 0)], mode="reflect")
    np.testing.assert_array_equal(patch.pixels(11), expected)


@pytest.mark.parametrize(("stored", "channels"), [(1, 3), (3, 1), (4, 3), (2, 1)])
def test_channels_are_converted(stored, channels):
    image = make_image((12, 15, stored), np.uint16)
    patch = TrainingPatch(image, channels, 2, 3, 5, Orientation())
    assert patch.pixels().shape == (5, 5, channels)
    assert patch.window(0, 0, 4, 6).shape == (4, 6, channels)


def test_places_are_multiples_of_the_step():
    generator = torch.Generator().manual_seed(0)
    patches = [
        draw_patch(IMAGE, 3, 6, generator, flip=False, rotate=False, step=3) for _ in range(100)
    ]
    assert {(patch.top, patch.left) for patch in patches} == {
        (top, left) for top in (0, 3, 6) for left in (0, 3, 6, 9)
    }


def test_what_the_step_leaves_over_is_no_surroundings():
    generator = torch.Generator().manual_seed(0)
    patch = draw_patch(IMAGE, 3, 7, generator, flip=False, rotate=False, step=7)
    assert patch.image.shape == (7, 14, 3)
