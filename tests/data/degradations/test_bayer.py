from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from semanir_arch.data.degradations.bayer import (
    PHASES,
    demosaic_linear,
    mosaic,
    pack,
    shifted_phase,
    unpack,
)

phases = st.sampled_from(PHASES)
even = st.integers(2, 6).map(lambda n: 2 * n)


def colors(phase, height, width):
    """The color that each pixel records, 0 red, 1 green, 2 blue."""
    cell = np.array(
        [["rgb".index(color) for color in phase[:2]], ["rgb".index(c) for c in phase[2:]]]
    )
    return np.tile(cell, (height, width))[:height, :width]


def rgb(height, width, dtype=torch.float32):
    return torch.rand(3, height, width, dtype=dtype, generator=torch.Generator().manual_seed(1))


@given(phase=phases, height=st.integers(1, 9), width=st.integers(1, 9))
def test_every_pixel_records_the_colour_of_its_place(phase, height, width):
    image = rgb(height, width)
    recorded = colors(phase, height, width)
    expected = np.take_along_axis(image.numpy(), recorded[None], axis=0)
    np.testing.assert_array_equal(mosaic(image, phase).numpy(), expected)


@given(phase=phases, top=st.integers(0, 5), left=st.integers(0, 5))
def test_a_crop_of_a_mosaic_has_the_shifted_phase(phase, top, left):
    image = rgb(12, 10)
    crop = mosaic(image, phase)[:, top:, left:]
    assert torch.equal(mosaic(image[:, top:, left:], shifted_phase(phase, top, left)), crop)


@given(
    phase=phases, height=st.integers(2, 9), width=st.integers(2, 9), axis=st.sampled_from([1, 2])
)
def test_a_flipped_mosaic_is_the_mosaic_of_the_flipped_image(phase, height, width, axis):
    image = rgb(height, width)
    length = image.shape[axis]
    start = (length - 1) % 2
    flipped = shifted_phase(phase, *((start, 0) if axis == 1 else (0, start)))
    assert torch.equal(mosaic(image.flip(axis), flipped), mosaic(image, phase).flip(axis))


@given(phase=phases, height=even, width=even)
def test_planes_hold_one_colour_each_and_lead_back(phase, height, width):
    levels = torch.tensor([0.0, 1.0, 2.0]).view(3, 1, 1).expand(3, height, width)
    planes = pack(mosaic(levels, phase), phase)
    assert planes.shape == (4, height // 2, width // 2)
    assert [plane.unique().tolist() for plane in planes] == [[0], [1], [1], [2]]
    plane = mosaic(rgb(height, width), phase)
    assert torch.equal(unpack(pack(plane, phase), phase), plane)


def test_first_green_plane_lies_beside_red():
    rows = torch.arange(4.0).view(1, 4, 1).expand(3, 4, 4)
    for phase in PHASES:
        red, beside_red, beside_blue, blue = pack(mosaic(rows, phase), phase)
        assert torch.equal(red, beside_red)
        assert torch.equal(blue, beside_blue)


def interpolate_pixel(plane, own, row, column, color, recorded):
    """One value by the paper: bilinear mean plus a part of the Laplacian of the pixel's color."""

    def at(down, right):
        return plane[row + down, column + right]

    cross = [(-1, 0), (1, 0), (0, -1), (0, 1)]
    diagonal = [(-1, -1), (-1, 1), (1, -1), (1, 1)]
    if own == color:
        return at(0, 0)
    laplacian = at(0, 0) - sum(at(2 * y, 2 * x) for y, x in cross) / 4
    if color == 1:
        return sum(at(*place) for place in cross) / 4 + laplacian / 2
    if own != 1:
        return sum(at(*place) for place in diagonal) / 4 + 3 / 4 * laplacian
    along = [(0, -1), (0, 1)] if recorded[row, column + 1] == color else [(-1, 0), (1, 0)]
    across = [(x, y) for y, x in along]
    # nine samples: 5/8 of the gradient, where those across count half and against
    gradient = (
        at(0, 0)
        + sum(at(2 * y, 2 * x) for y, x in across) / 10
        - sum(at(2 * y, 2 * x) for y, x in along) / 5
        - sum(at(*place) for place in diagonal) / 5
    )
    return sum(at(*place) for place in along) / 2 + 5 / 8 * gradient


@pytest.mark.parametrize("phase", PHASES)
def test_interpolation_follows_the_paper(phase):
    plane = mosaic(rgb(9, 8, torch.float64), phase)
    padded = np.pad(plane[0].numpy(), 2, mode="reflect")
    # two rows and columns more leave the phase as it is
    recorded = colors(phase, 13, 12)
    result = demosaic_linear(plane, phase)
    for color in range(3):
        for row in range(9):
            for column in range(8):
                expected = interpolate_pixel(
                    padded, recorded[row + 2, column + 2], row + 2, column + 2, color, recorded
                )
                assert result[color, row, column].item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("phase", PHASES)
def test_gray_planes_are_reproduced_inside(phase):
    ramp = torch.arange(12.0).view(1, -1, 1) * 3 + torch.arange(10.0) * 5
    result = demosaic_linear(mosaic(ramp.expand(3, -1, -1), phase), phase)
    torch.testing.assert_close(
        result[:, 2:-2, 2:-2], ramp.expand(3, -1, -1)[:, 2:-2, 2:-2], rtol=0, atol=1e-4
    )


def test_batches_are_interpolated_one_by_one():
    planes = torch.rand(2, 3, 1, 8, 6)
    assert torch.equal(demosaic_linear(planes)[1, 2], demosaic_linear(planes[1, 2]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mosaic(torch.zeros(1, 4, 4)), r"expected \(..., 3, H, W\), received \(1, 4, 4\)"),
        (lambda: mosaic(torch.zeros(3, 4, 4), "rgbg"), "phase must be one of rggb, .* 'rgbg'"),
        (lambda: pack(torch.zeros(1, 3, 4)), r"sides must be even to be packed, received \(3, 4\)"),
        (lambda: unpack(torch.zeros(3, 4, 4)), r"expected \(..., 4, H, W\)"),
        (lambda: demosaic_linear(torch.zeros(1, 2, 9)), r"sides must be above 2"),
        (lambda: shifted_phase("bayer", 0, 0), "phase must be one of"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
