from __future__ import annotations

import math

import pytest
import torch

from semanir_arch.metrics import PROTOCOLS, REGISTERED, psnr, quantize_uint8, rgb_to_y, ssim


@pytest.fixture
def pair():
    target = torch.rand(3, 24, 24)
    return target + 0.2 * torch.randn(3, 24, 24), target


def test_rounding_gives_what_a_file_would_hold():
    x = torch.tensor([-0.5, 0.0, 0.4999 / 255, 0.5001 / 255, 1.0, 1.5])
    quantized = quantize_uint8(x)
    assert quantized.dtype == torch.uint8
    assert quantized.tolist() == [0, 0, 0, 1, 255, 255]


def test_denoising_clamps_rounds_and_compares_all_channels(pair):
    restored, target = ((image.clamp(0, 1) * 255).round() / 255 for image in pair)
    scores = PROTOCOLS["denoise_rgb"].evaluate(*pair)
    assert scores["psnr"] == pytest.approx(psnr(restored, target).item(), abs=1e-6)
    assert scores["ssim"] == pytest.approx(ssim(restored, target).item(), abs=1e-6)
    assert psnr(*pair).item() < scores["psnr"] - 0.1, "clamping must matter in this test"


def test_gray_denoising_takes_gray_images(pair):
    gray = [image[:1] for image in pair]
    assert PROTOCOLS["denoise_gray"].evaluate(*gray) == PROTOCOLS["denoise_rgb"].evaluate(*gray)


def test_super_resolution_compares_luma_inside_a_border_of_the_scale(pair):
    restored, target = (
        rgb_to_y(quantize_uint8(image), 255)[..., 3:-3, 3:-3] / 255 for image in pair
    )
    scores = PROTOCOLS["sr_y"].evaluate(*pair, scale=3)
    assert scores["psnr"] == pytest.approx(psnr(restored, target).item(), abs=1e-9)
    assert scores["ssim"] == pytest.approx(ssim(restored, target).item(), abs=1e-9)


def test_super_resolution_needs_the_scale(pair):
    with pytest.raises(ValueError, match="sr_y cuts a border of scale pixels: give the scale"):
        PROTOCOLS["sr_y"].evaluate(*pair)


def test_identical_images_are_infinitely_good(pair):
    assert PROTOCOLS["denoise_rgb"].evaluate(pair[1], pair[1]) == {"psnr": math.inf, "ssim": 1.0}


def test_ssim_of_tiny_images_is_undefined_but_psnr_is_there():
    target = torch.rand(3, 8, 30)
    scores = PROTOCOLS["denoise_rgb"].evaluate(target * 0.9, target)
    assert math.isfinite(scores["psnr"])
    assert math.isnan(scores["ssim"])


def test_batch_of_one_is_accepted(pair):
    batched = [image[None] for image in pair]
    assert PROTOCOLS["denoise_rgb"].evaluate(*batched) == PROTOCOLS["denoise_rgb"].evaluate(*pair)


def test_names_lead_to_their_entries():
    assert all(name == protocol.name for name, protocol in PROTOCOLS.items())
    assert all(name == function.__name__ for name, function in REGISTERED.items())


def test_motion_deblurring_uses_matlabs_ssim(pair):
    restored, target = (quantize_uint8(image) for image in pair)
    scores = PROTOCOLS["deblur_matlab"].evaluate(*pair)
    expected = ssim(restored, target, data_range=255, kind="matlab").item()
    assert scores["ssim"] == pytest.approx(expected, abs=1e-12)


def test_defocus_is_scored_without_rounding_but_clamped(pair):
    restored, target = pair
    scores = PROTOCOLS["defocus_float"].evaluate(*pair)
    clamped = restored.clamp(0, 1)
    assert list(scores) == ["psnr", "ssim", "mae"]
    assert scores["psnr"] == pytest.approx(psnr(clamped, target).item(), abs=1e-12)
    assert scores["mae"] == pytest.approx((clamped - target).abs().mean().item(), abs=1e-6)
    assert scores["ssim"] == pytest.approx(ssim(clamped, target, kind="skimage").item(), abs=1e-12)


def test_matlab_rounds_luma_to_levels(pair):
    restored, target = (
        (rgb_to_y(quantize_uint8(image), 255) + 0.5).floor().to(torch.uint8) for image in pair
    )
    scores = PROTOCOLS["derain_y_matlab"].evaluate(*pair)
    assert scores["psnr"] == pytest.approx(psnr(restored, target, data_range=255).item(), abs=1e-12)
    assert scores["psnr"] != pytest.approx(PROTOCOLS["derain_y"].evaluate(*pair)["psnr"], abs=1e-6)


def test_jpeg_protocols_report_blocks(pair):
    scores = PROTOCOLS["jpeg_gray"].evaluate(*(image[:1] for image in pair))
    assert scores["psnr_b"] <= scores["psnr"]


def test_scores_that_are_undefined_for_small_images_are_nan():
    target = torch.rand(3, 8, 8)
    scores = PROTOCOLS["jpeg_color"].evaluate(target * 0.9, target)
    assert math.isfinite(scores["psnr"])
    assert math.isnan(scores["ssim"])
    assert math.isnan(scores["psnr_b"])
