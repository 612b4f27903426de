"""The self-ensemble is the mean over the eight orientations, written out."""

from __future__ import annotations

import torch
from torch import nn

from semanir_arch.archs import build_network
from semanir_arch.utils.ensemble import ORIENTATIONS, self_ensemble
from tests.each import each
from tests.helpers import TINY_SR


def written_out(run, x):
    """The definition with transpositions and flips instead of quarter turns."""
    results = []
    for transposed in (False, True):
        for vertical in (False, True):
            for horizontal in (False, True):
                given = x.transpose(-2, -1) if transposed else x
                axes = [axis for axis, flag in ((-2, vertical), (-1, horizontal)) if flag]
                restored = run(given.flip(axes)).flip(axes)
                results.append(restored.transpose(-2, -1) if transposed else restored)
    return torch.stack(results).double().mean(dim=0)


def network_with_a_direction():
    """A network that no orientation leaves unchanged, and that enlarges."""
    return nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.ReLU(), nn.PixelShuffle(2)).eval()


@each("size", [(8, 8), (5, 9), (9, 5), (1, 7), (1, 1)])
@each("batch", [1, 3])
@torch.no_grad()
def test_it_is_the_mean_over_all_orientations(size, batch):
    network, x = network_with_a_direction(), torch.rand(batch, 3, *size)
    result = self_ensemble(network, x)
    assert result.shape == (batch, 3, 2 * size[0], 2 * size[1])
    torch.testing.assert_close(result.double(), written_out(network, x), atol=1e-6, rtol=0)
    assert not torch.allclose(result, network(x), atol=1e-4)


@torch.no_grad()
def test_images_of_a_batch_do_not_mix():
    network, x = network_with_a_direction(), torch.rand(2, 3, 6, 10)
    alone = torch.cat([self_ensemble(network, image[None]) for image in x])
    torch.testing.assert_close(self_ensemble(network, x), alone)


@torch.no_grad()
def test_the_result_follows_the_orientation_of_the_image():
    """What no single run of such a network does."""
    network, x = network_with_a_direction(), torch.rand(1, 3, 6, 10)
    turned = self_ensemble(network, x.rot90(1, (-2, -1)))
    torch.testing.assert_close(turned, self_ensemble(network, x).rot90(1, (-2, -1)))


@torch.no_grad()
def test_a_network_of_the_toolkit_gets_what_it_expects():
    network, x = build_network(TINY_SR).eval(), torch.rand(1, 3, 7, 10)
    torch.testing.assert_close(
        self_ensemble(network, x).double(), written_out(network, x), atol=1e-6, rtol=0
    )


@torch.no_grad()
def test_half_precision_is_averaged_in_single():
    """A mean in bfloat16 would be off by its step near 1, 2 ** -8."""
    network, x = network_with_a_direction().bfloat16(), torch.rand(1, 3, 6, 10).bfloat16()
    result = self_ensemble(network, x)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result.double(), written_out(network, x), atol=1e-6, rtol=0)


def test_every_run_gets_one_contiguous_image_and_the_input_is_left_alone():
    x = torch.rand(1, 3, 4, 6)
    before, seen = x.clone(), []

    def double(image):
        seen.append((tuple(image.shape[-2:]), image.is_contiguous()))
        return image.mul_(2)

    self_ensemble(double, x)
    assert torch.equal(x, before)
    assert len(seen) == ORIENTATIONS
    assert {size for size, _ in seen} == {(4, 6), (6, 4)}
    assert all(contiguous for _, contiguous in seen)
