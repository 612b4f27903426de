"""PSNR and SSIM against scikit-image, BasicSR and hand calculation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from semanir_arch import host
from semanir_arch.metrics import mae, psnr, psnr_b, rgb_to_y, semanir_psnr, semanir_ssim, ssim
from semanir_arch.metrics.registered import semanir_psnr_b
from tests.each import each
from tests.helpers import make_image

METRICS = [psnr, ssim]


def photograph(channels=3, height=60, width=47):
    """Smooth structures (H, W, C) uint8, and a noisy version."""
    rows, columns = np.mgrid[:height, :width]
    waves = [
        127 + 100 * np.sin(rows / (5 + c)) * np.cos(columns / (7 - c)) for c in range(channels)
    ]
    clean = np.stack(waves, axis=2).round().astype(np.uint8)
    noise = np.random.default_rng(0).normal(0, 15, clean.shape)
    return clean, (clean + noise).clip(0, 255).round().astype(np.uint8)


def to_tensor(image):
    return torch.from_numpy(image).permute(2, 0, 1)


@pytest.fixture(scope="module")
def skimage_metrics():
    return pytest.importorskip("skimage.metrics", reason="scikit-image is not installed")


@pytest.fixture(scope="module")
def basicsr_metrics():
    try:
        return host.load("basicsr.metrics")
    except host.HostError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("border", [0, 4])
def test_agrees_with_scikit_image(skimage_metrics, channels, border):
    clean, noisy = photograph(channels)
    x, y = to_tensor(clean), to_tensor(noisy)
    cut = (slice(border, clean.shape[0] - border), slice(border, clean.shape[1] - border))
    expected = skimage_metrics.peak_signal_noise_ratio(clean[cut], noisy[cut], data_range=255)
    actual = psnr(x, y, crop_border=border, data_range=255)
    assert actual.item() == pytest.approx(expected, abs=1e-12)
    expected = skimage_metrics.structural_similarity(
        clean[cut].astype(np.float64),
        noisy[cut].astype(np.float64),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=2,
    )
    actual = ssim(x, y, crop_border=border, data_range=255)
    assert actual.item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("shape", [(60, 47), (74, 266), (75, 267), (11, 11), (140, 90), (43, 530)])
def test_ssim_does_not_depend_on_tiles(skimage_metrics, shape):
    """The images are worked on in tiles; sizes around the tile's are covered."""
    clean, noisy = photograph(1, *shape)
    _, expected = skimage_metrics.structural_similarity(
        clean[..., 0].astype(np.float64),
        noisy[..., 0].astype(np.float64),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        full=True,
    )
    inner = expected[5:-5, 5:-5].mean()
    actual = ssim(to_tensor(clean), to_tensor(noisy), data_range=255)
    assert actual.item() == pytest.approx(inner, abs=1e-12)


@pytest.mark.parametrize(("color", "test_y_channel"), [("rgb", False), ("y", True)])
@pytest.mark.parametrize("border", [0, 3])
def test_registered_metrics_agree_with_basicsr(basicsr_metrics, color, test_y_channel, border):
    bgr = [image[..., ::-1] for image in photograph()]
    arguments = {"crop_border": border, "test_y_channel": test_y_channel}
    expected = basicsr_metrics.calculate_psnr(*bgr, **arguments)
    # BasicSR computes luma in single precision
    assert semanir_psnr(*bgr, border, color) == pytest.approx(expected, abs=1e-5)
    expected = basicsr_metrics.calculate_ssim(*bgr, **arguments)
    assert semanir_ssim(*bgr, border, color) == pytest.approx(expected, abs=1e-6)


def test_registered_metrics_take_gray_images_without_channels():
    clean, noisy = photograph(1)
    for metric, function in ((semanir_psnr, psnr), (semanir_ssim, ssim)):
        expected = function(to_tensor(clean), to_tensor(noisy), data_range=255).item()
        assert metric(clean[..., 0], noisy[..., 0]) == metric(clean, noisy) == expected


def test_registered_metrics_of_tiny_images_are_no_numbers():
    """As in protocols: tables leave them out of the mean and say so."""
    x, y = make_image((8, 30, 3), seed=1), make_image((8, 30, 3), seed=2)
    assert math.isfinite(semanir_psnr(x, y))
    assert math.isnan(semanir_ssim(x, y))
    assert math.isnan(semanir_psnr_b(x, y))
    assert math.isfinite(semanir_ssim(x, y, kind="skimage"))
    with pytest.raises(ValueError, match="crop_border 4 does not fit"):
        semanir_ssim(x, y, crop_border=4)


def test_registered_metrics_refuse_floats_and_alpha():
    with pytest.raises(TypeError, match="images must be uint8, received float64"):
        semanir_psnr(np.zeros((12, 12, 3)), np.zeros((12, 12, 3)))
    with pytest.raises(ValueError, match=r"received \(12, 12, 4\)"):
        semanir_ssim(make_image((12, 12, 4)), make_image((12, 12, 4)))


@pytest.mark.parametrize("metric", METRICS)
def test_batch_gives_the_value_of_each_image(metric):
    x, y = torch.rand(3, 3, 20, 24), torch.rand(3, 3, 20, 24)
    values = metric(x, y)
    assert values.shape == (3,)
    assert values.dtype == torch.float64
    for index in range(3):
        assert values[index].item() == pytest.approx(metric(x[index], y[index]).item(), abs=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_range_cancels_out(metric):
    x, y = torch.rand(3, 20, 24).double(), torch.rand(3, 20, 24).double()
    for color in ("rgb", "y", "gray"):
        small = metric(x, y, color=color).item()
        large = metric(255 * x, 255 * y, color=color, data_range=255).item()
        assert large == pytest.approx(small, abs=1e-9)


@pytest.mark.parametrize("metric", [psnr, ssim, mae, psnr_b])
def test_white_follows_from_the_type(metric):
    stored = [to_tensor(image) for image in photograph()]
    value = metric(*stored).item()
    assert value == metric(*stored, data_range=255).item()
    for same in (
        [x.double() / 255 for x in stored],
        [(x.to(torch.int32) * 257).to(torch.uint16) for x in stored],
        [x.float() / 255 for x in stored],
    ):
        assert metric(*same).item() == pytest.approx(value, rel=1e-6)
    half = [(x.float() / 255).bfloat16() for x in stored]
    assert metric(*half).item() == pytest.approx(metric(*(x.float() for x in half)).item())
    assert metric(*(x.double().requires_grad_() for x in stored), data_range=255).item() == value


@pytest.mark.parametrize("metric", [psnr, ssim, mae, psnr_b])
def test_white_that_is_not_clear_is_asked_for(metric):
    x, y = (to_tensor(image) for image in photograph())
    with pytest.raises(ValueError, match=r"type: torch\.uint8 and torch\.float32; convert one"):
        metric(x, y.float())
    with pytest.raises(ValueError, match=r"give data_range, .* for images of torch\.int64"):
        metric(x.long(), y.long())
    assert metric(x.long(), y.float(), data_range=255) == metric(x, y)


@pytest.mark.parametrize("metric", METRICS)
def test_order_of_the_images_does_not_matter(metric):
    x, y = torch.rand(3, 20, 24), torch.rand(3, 20, 24)
    assert metric(x, y).item() == pytest.approx(metric(y, x).item(), abs=1e-12)


def test_identical_images_are_perfect():
    x = torch.rand(2, 3, 16, 16)
    assert psnr(x, x).tolist() == [math.inf, math.inf]
    assert ssim(x, x).tolist() == [1, 1]
    flat = torch.zeros(1, 16, 16)
    assert ssim(flat, flat).item() == 1


def test_inputs_are_not_changed():
    x, y = torch.rand(3, 16, 16), torch.rand(3, 16, 16)
    before = x.clone(), y.clone()
    psnr(x, y)
    ssim(x, y)
    assert torch.equal(x, before[0])
    assert torch.equal(y, before[1])


def test_border_is_not_compared():
    x = torch.rand(1, 20, 20)
    y = x.clone()
    y[:, :2] = y[:, -2:] = 0
    y[:, :, :2] = y[:, :, -2:] = 0
    assert psnr(x, y, crop_border=2).item() == math.inf
    assert math.isfinite(psnr(x, y, crop_border=1).item())


def test_luma_is_studio_range_and_not_rounded():
    colors = torch.eye(3).reshape(1, 3, 3, 1)
    weights = [(16 + weight) / 255 for weight in (65.481, 128.553, 24.966)]
    torch.testing.assert_close(
        rgb_to_y(colors).flatten(), torch.tensor(weights, dtype=torch.float64)
    )
    white, black = torch.ones(3, 1, 1), torch.zeros(3, 1, 1)
    assert (rgb_to_y(255 * white, 255).item(), rgb_to_y(black, 255).item()) == (235, 16)


def test_gray_images_are_taken_as_they_are():
    x, y = torch.rand(1, 16, 16), torch.rand(1, 16, 16)
    values = {color: psnr(x, y, color=color).item() for color in ("rgb", "y", "gray")}
    assert len(set(values.values())) == 1


@each("metric", METRICS)
@each(
    "x, y, options, message",
    [
        ((3, 16, 16), (3, 16, 15), {}, r"differ in shape: \(3, 16, 16\) and \(3, 16, 15\)"),
        ((16, 16), (16, 16), {}, r"expected \(C, H, W\) or \(B, C, H, W\), received"),
        (
            (3, 16, 16),
            (3, 16, 16),
            {"color": "ycbcr"},
            "color must be one of rgb, y, y_rounded, gray",
        ),
        ((4, 16, 16), (4, 16, 16), {"color": "y"}, "expected RGB"),
        ((3, 16, 16), (3, 16, 16), {"crop_border": 8}, "crop_border 8 does not fit an image of 16"),
        ((3, 16, 16), (3, 16, 16), {"crop_border": -1}, "crop_border -1 does not fit"),
        ((3, 16, 16), (3, 16, 16), {"data_range": 0}, "data_range must be positive"),
    ],
)
def test_bad_pairs_are_refused(metric, x, y, options, message):
    with pytest.raises(ValueError, match=message):
        metric(torch.zeros(x), torch.zeros(y), **options)


@pytest.mark.parametrize("metric", METRICS)
def test_values_that_are_no_numbers_are_refused(metric):
    x = torch.zeros(3, 16, 16)
    for bad in (math.nan, math.inf):
        with pytest.raises(ValueError, match="not finite"):
            metric(x, torch.full_like(x, bad))


def test_ssim_of_tiny_images_is_refused():
    x = torch.zeros(3, 10, 40)
    with pytest.raises(ValueError, match=r"at least 11 x 11 pixels .* received 10 x 40"):
        ssim(x, x)
    with pytest.raises(ValueError, match="received 8 x 8"):
        ssim(torch.zeros(3, 16, 16), torch.zeros(3, 16, 16), crop_border=4)
