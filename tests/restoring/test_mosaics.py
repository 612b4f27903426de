from __future__ import annotations

import numpy as np
import pytest
import torch

from semanir_arch.data.degradations.bayer import PHASES, demosaic_linear, mosaic
from semanir_arch.restoring.restorer import Restorer
from tests.each import each
from tests.helpers import make_image
from tests.restoring.networks import save_plain


@pytest.fixture
def restorer(plain, tmp_path):
    """A network that returns the linear interpolation that it is given."""
    return Restorer(save_plain(tmp_path / "net.pth"), device="cpu", task="demosaic")


def linear(image, phase):
    """Mosaic and linear interpolation of an RGB image (H, W, 3), float."""
    tensor = torch.from_numpy(image).permute(2, 0, 1)
    colors = demosaic_linear(mosaic(tensor, phase), phase).clamp(0, 1)
    return colors.permute(1, 2, 0).numpy()


@each("phase", PHASES)
@each("size", [(3, 3), (12, 17), (31, 20)])
def test_a_colour_image_is_recorded_and_interpolated(restorer, phase, size):
    image = make_image((*size, 3), np.float32)
    restored = restorer.restore(image, bayer=phase)
    np.testing.assert_allclose(restored, linear(image, phase), rtol=0, atol=1e-6)


@pytest.mark.parametrize("phase", PHASES)
def test_a_gray_image_is_the_mosaic_and_becomes_colour(restorer, phase):
    image = make_image((14, 11, 3), np.uint16)
    plane = mosaic(torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1), phase)
    plane = plane[0].numpy().astype(np.uint16)
    expected = restorer.restore(image, bayer=phase)
    for gray in (plane, plane[..., None]):
        restored = restorer.restore(gray, bayer=phase)
        assert restored.dtype == np.uint16
        np.testing.assert_array_equal(restored, expected)


def test_opacity_stays_beside_the_colour(restorer):
    image = make_image((9, 8, 2))
    restored = restorer.restore(image)
    assert restored.shape == (9, 8, 4)
    np.testing.assert_array_equal(restored[..., 3], image[..., 1])


@each("phase", PHASES)
@each("tile", [8, 16, 40])
@each("overlap", [0, 8])
def test_tiles_give_the_result_of_the_whole_image(plain, tmp_path, phase, tile, overlap):
    if overlap >= tile:
        return
    weights = save_plain(tmp_path / "net.pth")
    tiled = Restorer(weights, "cpu", tile=tile, overlap=overlap, task="demosaic")
    image = make_image((61, 53, 3), np.float32)
    np.testing.assert_allclose(
        tiled.restore(image, bayer=phase), linear(image, phase), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("phase", PHASES)
def test_orientations_are_turned_with_their_phase(plain, tmp_path, phase):
    """Linear interpolation is the same from all sides, so the mean over them changes nothing."""
    weights = save_plain(tmp_path / "net.pth")
    ensemble = Restorer(weights, "cpu", task="demosaic", ensemble=True)
    image = make_image((15, 18, 3), np.float32)
    restored = ensemble.restore(image, bayer=phase)
    np.testing.assert_allclose(restored, linear(image, phase), rtol=0, atol=1e-5)


def test_a_network_may_take_the_mosaic_itself(plain, tmp_path):
    restorer = Restorer(save_plain(tmp_path / "net.pth"), device="cpu", task="demosaic")
    seen = []
    restorer.network.in_chans = 1
    restorer.network.forward = lambda x: seen.append(x) or x.repeat(1, 3, 1, 1)
    image = make_image((6, 7), np.float32)
    restored = restorer.restore(image)
    assert seen[0].shape == (1, 1, 6, 7)
    np.testing.assert_allclose(restored, np.dstack([image] * 3), rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (9, 2)])
def test_an_image_too_small_for_a_mosaic_is_refused(restorer, size):
    with pytest.raises(ValueError, match=f"{size[1]} x {size[0]} pixels is too small"):
        restorer.restore(make_image(size))
