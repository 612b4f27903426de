from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from semanir_arch.metrics import PROTOCOLS
from semanir_arch.metrics.alignment import align
from tests.metrics.test_psnr_ssim import photograph


@pytest.fixture(scope="module")
def scene():
    """A structured target, and the same seen darker and moved by a fraction of a pixel."""
    clean, _ = photograph(3, 160, 200)
    rows, columns = np.mgrid[:160, :200]
    pattern = 60 * np.sin((rows + 2 * columns) / 9) + 60 * np.cos(rows * columns / 900)
    target = (0.5 * clean + pattern[..., None] + 60).clip(0, 255).astype(np.float32) / 255
    shift = np.float32([[1, 0, 1.6], [0, 1, -1.2]])
    moved = cv2.warpAffine(target, shift, (200, 160), flags=cv2.INTER_CUBIC)
    return [torch.from_numpy(x).permute(2, 0, 1) for x in (0.8 * moved.clip(0, 1), target)]


def test_shift_and_brightness_do_not_count(scene):
    aligned = PROTOCOLS["realblur_aligned"].evaluate(*scene)
    plain = PROTOCOLS["deblur_matlab"].evaluate(*scene)
    assert aligned["psnr"] > plain["psnr"] + 10
    assert aligned["psnr"] > 35
    assert 0.97 < aligned["ssim"] <= 1


def test_pixels_beyond_the_moved_image_are_left_out(scene):
    image, mask = align(*scene)
    assert 0.95 < mask.mean().item() < 1
    assert set(mask.unique().tolist()) == {0, 1}
    assert image[:, mask == 0].abs().max().item() == 0


def test_flat_images_cannot_be_aligned():
    flat = torch.full((3, 40, 40), 0.5)
    with pytest.raises(ValueError, match="cannot be aligned"):
        align(flat, flat)


def test_gray_images_are_refused():
    with pytest.raises(ValueError, match=r"needs two RGB images .* received \(1, 40, 40\)"):
        align(torch.rand(1, 40, 40), torch.rand(1, 40, 40))
