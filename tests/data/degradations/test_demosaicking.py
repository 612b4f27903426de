"""Ways from a mosaic to colors, against OpenCV and against a slow reading of the patent."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from semanir_arch.data.degradations.bayer import PHASES, mosaic
from semanir_arch.data.degradations.demosaicking import METHODS, demosaic_bilinear, demosaic_edges
from tests.each import each

OPENCV = {
    "rggb": cv2.COLOR_BayerRGGB2RGB,
    "bggr": cv2.COLOR_BayerBGGR2RGB,
    "grbg": cv2.COLOR_BayerGRBG2RGB,
    "gbrg": cv2.COLOR_BayerGBRG2RGB,
}
INSIDE = np.s_[..., 4:-4, 4:-4]


def noise(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).random(shape, np.float32))


@each("phase", PHASES)
@each("method", METHODS)
def test_recorded_values_are_kept_and_flat_colours_are_exact(method, phase):
    image = noise(3, 12, 14)
    plane = mosaic(image, phase)
    restored = METHODS[method](plane, phase)
    assert restored.shape == image.shape
    torch.testing.assert_close(mosaic(restored, phase), plane)
    flat = torch.tensor([0.2, 0.5, 0.9]).reshape(3, 1, 1).expand(3, 12, 14)
    torch.testing.assert_close(METHODS[method](mosaic(flat, phase), phase), flat)


@pytest.mark.parametrize("phase", PHASES)
def test_bilinear_interpolation_is_that_of_opencv(phase):
    pixels = np.random.default_rng(1).integers(0, 2**16, (1, 20, 18), dtype=np.uint16)
    ours = demosaic_bilinear(torch.from_numpy(pixels.astype(np.float64)), phase)
    theirs = cv2.demosaicing(pixels[0], OPENCV[phase]).transpose(2, 0, 1).astype(np.float64)
    # OpenCV rounds
    assert np.abs(ours.numpy() - theirs)[INSIDE].max() <= 1


@pytest.mark.parametrize("phase", PHASES)
def test_edge_directed_green_is_that_of_the_patent(phase):
    plane = noise(1, 16, 16, seed=2).double()
    green = demosaic_edges(plane, phase)[1].numpy()
    values, cell = plane[0].numpy(), (phase[:2], phase[2:])
    for row in range(3, 13):
        for column in range(3, 13):
            if cell[row % 2][column % 2] == "g":
                continue
            here = values[row, column]
            guesses, changes = [], []
            for down, right in ((0, 1), (1, 0)):
                before = values[row - down, column - right]
                after = values[row + down, column + right]
                far = (
                    values[row - 2 * down, column - 2 * right]
                    + values[row + 2 * down, column + 2 * right]
                )
                guesses.append((before + after) / 2 + (2 * here - far) / 4)
                changes.append(abs(before - after) + abs(2 * here - far))
            expected = guesses[int(np.argmin(changes))]
            assert green[row, column] == pytest.approx(expected)


def test_an_edge_is_sharper_where_interpolation_follows_it():
    image = torch.zeros(3, 24, 24)
    image[..., 11:] = 1
    errors = {
        method: (METHODS[method](mosaic(image, "rggb"), "rggb") - image)[INSIDE].square().mean()
        for method in METHODS
    }
    assert errors["edges"] < errors["linear"] < errors["bilinear"]
