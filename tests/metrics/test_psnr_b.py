"""PSNR-B against the formulas of its paper, written down pixel by pixel."""

from __future__ import annotations

import math

import cv2
import pytest
import torch

from semanir_arch.metrics import psnr, psnr_b
from tests.metrics.test_psnr_ssim import photograph, to_tensor


def reference(restored, target):
    """Equations 8 to 14 for gray images given as nested lists, 0..255."""
    height, width = len(restored), len(restored[0])
    across, inside = [], []
    for i in range(height):
        for j in range(width - 1):
            step = (restored[i][j] - restored[i][j + 1]) ** 2
            (across if j % 8 == 7 else inside).append(step)
    for i in range(height - 1):
        for j in range(width):
            step = (restored[i][j] - restored[i + 1][j]) ** 2
            (across if i % 8 == 7 else inside).append(step)
    at_edges, elsewhere = sum(across) / len(across), sum(inside) / len(inside)
    strength = math.log2(8) / math.log2(min(height, width)) if at_edges > elsewhere else 0
    error = sum(
        (restored[i][j] - target[i][j]) ** 2 for i in range(height) for j in range(width)
    ) / (height * width)
    return 10 * math.log10(255**2 / (error + strength * (at_edges - elsewhere)))


def compressed(image, quality):
    ok, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert ok
    return cv2.imdecode(data, cv2.IMREAD_UNCHANGED).reshape(image.shape)


@pytest.mark.parametrize("shape", [(64, 48), (61, 50), (9, 31)])
def test_agrees_with_the_formulas(shape):
    clean, _ = photograph(1, *shape)
    blocky = compressed(clean, 10)
    expected = reference(blocky[..., 0].astype(int).tolist(), clean[..., 0].astype(int).tolist())
    actual = psnr_b(to_tensor(blocky), to_tensor(clean), data_range=255)
    assert actual.item() == pytest.approx(expected, abs=1e-9)


def test_blocks_cost_and_smooth_errors_do_not():
    _, noisy = photograph(1, 128, 128)
    blocky = compressed(noisy, 5)
    pair = to_tensor(blocky), to_tensor(noisy)
    assert psnr_b(*pair, data_range=255) < psnr(*pair, data_range=255) - 0.1
    ramp = torch.linspace(0, 1, 64, dtype=torch.float64).expand(1, 64, 64)
    darker = ramp * 0.9
    assert psnr_b(darker, ramp).item() == pytest.approx(psnr(darker, ramp).item(), abs=1e-9)


def test_color_is_the_mean_of_the_channels():
    clean, noisy = photograph(3, 40, 40)
    pair = to_tensor(noisy), to_tensor(clean)
    single = [psnr_b(*(image[i : i + 1] for image in pair), data_range=255) for i in range(3)]
    expected = torch.stack(single).mean()
    assert psnr_b(*pair, data_range=255).item() == pytest.approx(expected.item(), abs=1e-12)


def test_image_of_one_block_is_refused():
    with pytest.raises(ValueError, match="more than 8 x 8 pixels, received 8 x 40"):
        psnr_b(torch.zeros(1, 8, 40), torch.zeros(1, 8, 40))
