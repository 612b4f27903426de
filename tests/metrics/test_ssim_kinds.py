"""The kinds of SSIM against scikit-image and against SciPy's filters."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from semanir_arch.metrics import ssim, ssim_map
from semanir_arch.metrics.preparation import prepare_pair
from semanir_arch.metrics.ssim import KINDS, _similarity_on_device
from tests.each import each
from tests.metrics.test_psnr_ssim import photograph, to_tensor


def gaussian(image, axes, mode):
    """Weighted means under the Gaussian of SSIM along some axes, by SciPy."""
    ndimage = pytest.importorskip("scipy.ndimage")
    bell = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    for axis in axes:
        image = ndimage.correlate1d(image, bell / bell.sum(), axis=axis, mode=mode, cval=0)
    return image


def reference(x, y, axes, mode):
    """SSIM over whole images (H, W, C) in 0..255, written down as MATLAB documents it."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    mean_x, mean_y = gaussian(x, axes, mode), gaussian(y, axes, mode)
    variance_x = gaussian(x**2, axes, mode) - mean_x**2
    variance_y = gaussian(y**2, axes, mode) - mean_y**2
    covariance = gaussian(x * y, axes, mode) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    similarity = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return similarity / ((mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2))


@pytest.mark.parametrize("channels", [1, 3])
def test_scikit_images_default_is_reproduced(channels):
    metrics = pytest.importorskip("skimage.metrics", reason="scikit-image is not installed")
    clean, noisy = photograph(channels, 90, 75)
    expected = metrics.structural_similarity(clean, noisy, data_range=255, channel_axis=2)
    actual = ssim(to_tensor(clean), to_tensor(noisy), data_range=255, kind="skimage")
    assert actual.item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("height", [11, 70])
def test_matlabs_window_reaches_across_colors_and_edges(height):
    clean, noisy = photograph(3, height, 47)
    expected = reference(clean, noisy, axes=(0, 1, 2), mode="nearest").mean()
    actual = ssim(to_tensor(clean), to_tensor(noisy), data_range=255, kind="matlab")
    assert actual.item() == pytest.approx(expected, abs=1e-12)


def test_matlabs_window_is_flat_for_gray_images():
    clean, noisy = photograph(1)
    expected = reference(clean, noisy, axes=(0, 1), mode="nearest").mean()
    actual = ssim(to_tensor(clean), to_tensor(noisy), data_range=255, kind="matlab")
    assert actual.item() == pytest.approx(expected, abs=1e-12)


def test_zero_padding_counts_every_pixel():
    clean, noisy = photograph(3, 90, 47)
    expected = reference(clean, noisy, axes=(0, 1), mode="constant")
    pair = to_tensor(clean), to_tensor(noisy)
    actual = ssim(*pair, data_range=255, kind="zero_padded")
    assert actual.item() == pytest.approx(expected.mean(), abs=1e-12)
    places = ssim_map(*pair, data_range=255, kind="zero_padded")
    np.testing.assert_allclose(places.permute(1, 2, 0).numpy(), expected, atol=1e-12)


@each("kind", KINDS)
@each("channels", [1, 3])
def test_devices_without_opencv_give_the_same(kind, channels):
    """What GPUs compute, here on the CPU."""
    images = [to_tensor(image) for image in photograph(channels, 70, 33)]
    *pair, white = prepare_pair(images[0], images[1], 0, "rgb", None)
    places = _similarity_on_device(*(x.double() for x in pair), KINDS[kind], white)
    expected = ssim_map(*images, data_range=255, kind=kind)
    torch.testing.assert_close(places[0], expected, rtol=0, atol=1e-11)
    assert ssim(*images, data_range=255, kind=kind).item() == pytest.approx(
        expected.mean().item(), abs=1e-12
    )


def test_kinds_order_as_published():
    """On one pair of noisy color images MATLAB's value is far above the others."""
    pair = [to_tensor(image) for image in photograph()]
    values = {kind: ssim(*pair, data_range=255, kind=kind).item() for kind in KINDS}
    assert values["matlab"] > values["wang"] + 0.02
    assert len({round(value, 4) for value in values.values()}) == len(KINDS)


def test_identical_images_are_perfect_in_every_kind():
    x = torch.rand(3, 20, 20)
    for kind in KINDS:
        assert ssim(x, x, kind=kind).item() == pytest.approx(1, abs=1e-15)


def test_unknown_kind_is_named():
    x = torch.rand(3, 20, 20)
    with pytest.raises(ValueError, match=r"must be one of wang, matlab, .* received 'wong'"):
        ssim(x, x, kind="wong")
