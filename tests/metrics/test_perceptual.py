"""LPIPS through its package: with a random network, whose values only compare with themselves."""

from __future__ import annotations

import math
import sys
import urllib.error
import warnings
from pathlib import Path

import pytest
import torch

from semanir_arch.metrics import lpips, perceptual
from semanir_arch.metrics.registered import semanir_lpips
from tests.helpers import make_image
from tests.metrics.test_psnr_ssim import photograph, to_tensor


@pytest.fixture
def network(monkeypatch):
    """AlexNet with random weights below the package's own; nothing is fetched."""
    package = pytest.importorskip("lpips", reason="lpips comes with the extra metrics")
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        built = package.LPIPS(net="alex", pnet_rand=True, verbose=False)
    monkeypatch.setattr(perceptual, "_network", lambda net, device: built)
    return built


def test_distance_is_the_packages(network):
    x, y = torch.rand(2, 3, 40, 48), torch.rand(2, 3, 40, 48)
    with torch.no_grad():
        expected = network(x, y, normalize=True).flatten().double()
    torch.testing.assert_close(lpips(x, y), expected)
    assert (lpips(x, y) > 1e-3).all()
    torch.testing.assert_close(lpips(255 * x, 255 * y, data_range=255), expected, rtol=1e-4, atol=0)
    inside = torch.rand(3, 60, 60)
    cut = lpips(inside, inside.flip(1), crop_border=5)
    assert cut.item() == lpips(*(x[:, 5:-5, 5:-5] for x in (inside, inside.flip(1)))).item()


def test_identical_images_have_no_distance(network):
    x = torch.rand(3, 40, 48)
    assert lpips(x, x).tolist() == [0]


def test_gray_images_are_repeated(network):
    x, y = torch.rand(1, 40, 48), torch.rand(1, 40, 48)
    assert lpips(x, y).item() == lpips(x.expand(3, -1, -1), y.expand(3, -1, -1)).item()


def test_registered_form_takes_stored_images(network):
    x, y = make_image((40, 48, 3), seed=1), make_image((40, 48, 3), seed=2)
    pair = (torch.from_numpy(image[..., ::-1].copy()).permute(2, 0, 1) for image in (x, y))
    assert semanir_lpips(x, y) == lpips(*pair).item()
    assert semanir_lpips(x[..., 0], y[..., 0]) > 0
    assert math.isnan(semanir_lpips(x[:30], y[:30]))


def test_small_images_and_unknown_networks_are_refused():
    x = torch.rand(3, 30, 60)
    with pytest.raises(ValueError, match=r"at least 31 x 31 pixels .* received 30 x 60"):
        lpips(x, x)
    with pytest.raises(ValueError, match="one of alex, vgg, squeeze, received 'resnet'"):
        lpips(x, x, net="resnet")


def test_missing_package_and_weights_are_explained(monkeypatch):
    package = pytest.importorskip("lpips", reason="lpips comes with the extra metrics")

    def offline(**_):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(package, "LPIPS", offline)
    perceptual._network.cache_clear()
    with pytest.raises(FileNotFoundError, match="weights of 'alex', which cannot be downloaded"):
        lpips(torch.rand(3, 40, 40), torch.rand(3, 40, 40))
    monkeypatch.setitem(sys.modules, "lpips", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'semanir-arch\[metrics\]'"):
        lpips(torch.rand(3, 40, 40), torch.rand(3, 40, 40))


def test_published_weights_see_more_distance_with_more_noise():
    pytest.importorskip("lpips", reason="lpips comes with the extra metrics")
    weights = Path(torch.hub.get_dir(), "checkpoints", "alexnet-owt-7be5be79.pth")
    if not weights.is_file():
        pytest.skip(f"torchvision's weights of AlexNet, {weights}, are not here")
    clean, _ = photograph(3, 96, 96)
    x = to_tensor(clean).float() / 255
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    values = [lpips((x + sigma / 255 * noise).clamp(0, 1), x).item() for sigma in (0, 5, 15, 50)]
    assert values[0] == 0
    assert values == sorted(values)
    assert 0.05 < values[-1] < 2
