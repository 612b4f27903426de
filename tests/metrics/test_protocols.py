from __future__ import annotations

import math

import pytest
import torch

from semanir_arch.metrics import PROTOCOLS, REGISTERED, psnr, quantize_uint8, rgb_to_y, ssim
from tests.each import each
from tests.helpers import ROOT


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


DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


@pytest.mark.parametrize("device", DEVICES)
@each("dtype", [torch.float32, torch.float64])
@each("name", PROTOCOLS)
def test_batch_is_scored_like_its_images(name, dtype, device):
    """One by one on the CPU, and together on a device: PSNR within 1e-4 dB."""
    rows, columns = torch.meshgrid(torch.arange(40.0), torch.arange(48.0), indexing="ij")
    waves = [torch.sin(rows / (3 + c)) * torch.cos(columns / (4 - c / 2)) for c in range(3)]
    target = (0.5 + 0.4 * torch.stack(waves)).expand(3, -1, -1, -1).to(dtype)
    noise = torch.randn(3, 3, 40, 48, generator=torch.Generator().manual_seed(0), dtype=dtype)
    restored = target + torch.tensor([0.02, 0.05, 0.1]).reshape(3, 1, 1, 1) * noise
    protocol = PROTOCOLS[name]
    batch = protocol.evaluate_batch(restored.to(device), target.to(device), scale=2)
    for index in range(3):
        single = protocol.evaluate(restored[index].float(), target[index].float(), scale=2)
        assert list(single) == list(batch)
        for score, value in single.items():
            tolerance = 1e-4 if score.startswith("psnr") else 1e-6
            assert batch[score].shape == (3,)
            assert batch[score][index].item() == pytest.approx(value, abs=tolerance)


def test_stored_images_are_scored_as_they_are(pair):
    stored = [quantize_uint8(image) for image in pair]
    for name in ("denoise_rgb", "sr_y", "defocus_float"):
        expected = PROTOCOLS[name].evaluate(*(image.double() / 255 for image in stored), 2)
        assert PROTOCOLS[name].evaluate(*stored, 2) == pytest.approx(expected, abs=1e-12)
    with pytest.raises(TypeError, match=r"must be float, uint8 or uint16, received torch\.int64"):
        PROTOCOLS["denoise_rgb"].evaluate(stored[0].long(), stored[1])


def test_values_that_are_no_numbers_are_refused_before_rounding(pair):
    """Rounded to 8 bits, they would become some gray."""
    restored, target = pair
    restored[1, 2, 3] = math.nan
    for name in ("denoise_rgb", "defocus_float"):
        with pytest.raises(ValueError, match="not finite"):
            PROTOCOLS[name].evaluate(restored, target)


def test_several_images_are_a_batch(pair):
    pairs = [image.expand(2, -1, -1, -1) for image in pair]
    with pytest.raises(ValueError, match="takes one image, received 2: evaluate_batch"):
        PROTOCOLS["denoise_rgb"].evaluate(*pairs)


def test_a_preset_says_how_it_measures():
    assert PROTOCOLS["sr_y"].description == (
        "Y, rounded to 8 bits, without a border of scale pixels, SSIM 'wang', mean over the images"
    )
    assert PROTOCOLS["defocus_float"].description == (
        "R, G and B, not rounded, no border cut, SSIM 'skimage', MAE, mean over the images"
    )
    assert PROTOCOLS["sidd_blocks"].description.endswith("mean over the blocks")
    assert "aligned with the target first" in PROTOCOLS["realblur_aligned"].description
    assert "PSNR-B" in PROTOCOLS["jpeg_gray"].description
    assert all(protocol.source for protocol in PROTOCOLS.values())


def test_document_describes_every_preset():
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    table = text.partition("| name | compared |")[2].partition("\n\n")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    assert [row[0].strip("`") for row in rows] == list(PROTOCOLS)
    colors = {"rgb": "R", "y": "Y", "y_rounded": "Y rounded", "gray": "gray"}
    for name, compared, rounding, border, kind, *_ in rows:
        protocol = PROTOCOLS[name.strip("`")]
        assert compared.startswith(colors[protocol.color]), name
        assert (rounding == "8 bits") == protocol.rounding, name
        assert border == str(protocol.crop_border), name
        assert kind.startswith(f"`{protocol.ssim_kind}`"), name


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
