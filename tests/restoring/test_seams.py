"""Tiles: their size does not show in the result."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from semanir_arch.restoring.restorer import Restorer
from semanir_arch.weights import available
from tests.helpers import TINY_SR, TINY_UNET, save_weights

DEEPER = TINY_UNET | {"widths": [8, 16], "depths": [1, 1], "num_heads": [2, 4]}
MOVED = TINY_SR | {"depths": [1, 1], "num_heads": [2, 2], "shift": "stage"}


def smooth_picture(height, width):
    noise = torch.rand(1, 3, height // 8, width // 8, generator=torch.Generator().manual_seed(0))
    picture = interpolate(noise, (height, width), mode="bicubic").clamp(0, 1)
    return picture[0].permute(1, 2, 0).numpy()


def psnr(a, b):
    return -10 * np.log10(np.mean((a.astype(np.float64) - b) ** 2))


@pytest.fixture(scope="module", params=[DEEPER, MOVED], ids=["unet", "moved windows"])
def restored(request, tmp_path_factory):
    """The whole result, and a function that restores in tiles."""
    weights = tmp_path_factory.mktemp("net") / "net.pth"
    save_weights(weights, request.param)
    image = smooth_picture(200, 264)

    def restore(tile, overlap=None):
        return Restorer(weights, "cpu", tile=tile, overlap=overlap).restore(image)

    return restore(None), restore


@pytest.mark.parametrize("tile", [96, 128, 200])
def test_the_score_does_not_depend_on_the_tile(restored, tile):
    """Against any clean image: here one as far away as a good restoration is from the truth."""
    whole, restore = restored
    generator = np.random.default_rng(0)
    clean = whole + generator.normal(0, 10 ** (-32 / 20), whole.shape)
    assert abs(psnr(restore(tile), clean) - psnr(whole, clean)) < 0.02


def test_no_seam_shows_where_tiles_meet(restored):
    """The worst line of the picture, row or column, differs from the whole result by little."""
    whole, restore = restored
    difference = np.abs(restore(96) - whole).mean(axis=2)
    assert max(difference.mean(axis=0).max(), difference.mean(axis=1).max()) < 1 / 255
    cut = np.abs(restore(96, overlap=0) - whole).mean(axis=2)
    assert cut.max() > 4 * difference.max(), "without overlap there are seams"


@pytest.mark.parametrize("task", [one.task.name for one in available() if one.task.scale > 1])
def test_the_border_of_a_flat_picture_is_as_flat_as_its_middle(task):
    restorer = Restorer(task=task, device="cpu", precision="fp32")
    for level in (0, 255):
        result = restorer.restore(np.full((40, 40, 3), level, np.uint8)).astype(int)
        wrong = np.abs(result - level).max(axis=2)
        inside = 12 * restorer.upscale
        assert wrong.max() <= wrong[inside:-inside, inside:-inside].max() + 4
