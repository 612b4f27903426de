"""Whole images, tiles and orientations: what evaluation makes of an image."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import avg_pool2d, interpolate, pad

from semanir_arch.evaluation.image_restoring import Restoring
from semanir_arch.models.restoration_model import RestorationModel
from semanir_arch.utils.ensemble import self_ensemble


class Blur(nn.Module):
    """Looks 2 pixels far, enlarges twice, and takes sides that are multiples of 4."""

    size_multiple, upscale = 4, 2

    def __init__(self, capacity=10**9):
        super().__init__()
        self.capacity, self.sizes = capacity, []

    def forward(self, x):
        height, width = x.shape[-2:]
        assert height % 4 == width % 4 == 0
        self.sizes.append((height, width))
        if height * width > self.capacity:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        smooth = avg_pool2d(pad(x, (2, 2, 2, 2), mode="replicate"), 5, stride=1)
        return interpolate(smooth * torch.linspace(0.5, 1, 3)[:, None, None], scale_factor=2)


@pytest.fixture
def x():
    return torch.rand(1, 3, 90, 123)


def test_tiles_give_the_whole_image_where_the_network_looks_less_far(x):
    whole, side = Restoring()(Blur(), x, 1)
    assert side is None
    assert whole.shape == (1, 3, 180, 246)
    network = Blur()
    tiled, side = Restoring(tile=48, overlap=16)(network, x, 1)
    assert side == 48
    assert max(max(size) for size in network.sizes) <= 48
    torch.testing.assert_close(tiled, whole)
    uncovered, _ = Restoring(tile=48, overlap=0)(Blur(), x, 1)
    assert (uncovered - whole).abs().max() > 1e-3, "the comparison sees seams"


def test_an_image_within_one_tile_is_restored_whole(x):
    assert Restoring(tile=123)(Blur(), x, 1)[1] is None


def test_the_ensemble_runs_on_every_orientation_in_tiles(x):
    network = Blur()
    both, side = Restoring(tile=64, overlap=16, ensemble=True)(network, x, 1)
    assert side == 64
    expected = self_ensemble(lambda part: Restoring()(Blur(), part, 1)[0], x)
    torch.testing.assert_close(both, expected)
    assert len(network.sizes) % 8 == 0


def test_auto_takes_smaller_tiles_until_they_fit():
    x = torch.rand(1, 3, 300, 600)
    network = Blur(capacity=256 * 256)
    restored, side = Restoring(tile="auto")(network, x, 1)
    assert side == 256
    torch.testing.assert_close(restored, Restoring()(Blur(), x, 1)[0])
    with pytest.raises(RuntimeError, match="can't allocate"):
        Restoring(tile="auto")(Blur(capacity=16), x, 1)
    with pytest.raises(RuntimeError, match="can't allocate"):
        Restoring()(Blur(capacity=16), x, 1)


def test_auto_leaves_images_whole_that_fit(x):
    assert Restoring(tile="auto")(Blur(), x, 1)[1] is None


def test_auto_does_not_even_try_very_large_images_whole():
    network = Blur()
    assert Restoring(tile="auto")(network, torch.rand(1, 1, 1200, 1800).expand(1, 3, -1, -1), 1)[1]
    assert max(max(size) for size in network.sizes) <= 512


def test_other_errors_are_not_taken_for_a_lack_of_memory(x):
    def fail(_):
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes do not fit"):
        Restoring(tile="auto")(fail, x, 1)


@pytest.mark.parametrize(
    ("val", "message"),
    [
        ({"tile": "large"}, "val:tile: received 'large'; allowed: a number, auto, null"),
        ({"tile": 0}, "tile must be 1 pixel or more"),
        ({"tile": 32, "overlap": 32}, "less than the tile of 32"),
    ],
)
def test_contradictions_are_told_before_the_network_is_built(options, val, message):
    options["val"] |= val
    options["network_g"] = None
    with pytest.raises(ValueError, match=message):
        RestorationModel(options)
