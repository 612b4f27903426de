from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch

from semanir_arch.data.degradations.noise import (
    NOISE_CONVENTIONS,
    gaussian_noise,
    noise_of_testset,
)


@pytest.fixture
def image():
    return torch.rand(3, 6, 5, generator=torch.Generator().manual_seed(1))


def test_noise_has_the_given_deviation_and_is_not_clipped():
    white = torch.ones(1, 200, 200)
    noisy = gaussian_noise(white, 25, torch.Generator().manual_seed(0))
    assert (noisy - white).std().item() * 255 == pytest.approx(25, rel=0.02)
    assert (noisy - white).mean().item() * 255 == pytest.approx(0, abs=0.5)
    assert noisy.max() > 1.2
    assert noisy.dtype == torch.float32


def test_noise_depends_on_the_generator_alone(image):
    torch.manual_seed(1)
    first = gaussian_noise(image, 25, torch.Generator().manual_seed(7))
    torch.manual_seed(2)
    second = gaussian_noise(image, 25, torch.Generator().manual_seed(7))
    assert torch.equal(first, second)


def restormer(clean, sigma, file_name):
    np.random.seed(seed=0)  # noqa: NPY002
    picture = clean.permute(1, 2, 0).numpy()
    picture = picture + np.random.normal(0, sigma / 255.0, picture.shape)  # noqa: NPY002
    return torch.from_numpy(picture).permute(2, 0, 1).float()


def swinir(clean, sigma, file_name):
    return restormer(clean.flip(0), sigma, file_name).flip(0)


def ramit(clean, sigma, file_name):
    torch.manual_seed(0)
    return clean + torch.randn(clean.shape) * (sigma / 255)


def grl(clean, sigma, file_name):
    digest = hashlib.sha256(file_name.split("_")[0].encode("utf-8")).digest()
    state = np.random.RandomState(np.frombuffer(digest, dtype="uint32"))
    return clean + torch.from_numpy(state.normal(0, sigma / 255, clean.shape)).float()


@pytest.mark.parametrize(
    ("convention", "script"),
    [
        ("numpy_hwc_rgb", restormer),
        ("numpy_hwc_bgr", swinir),
        ("torch_chw_rgb", ramit),
        ("sha256_chw_rgb", grl),
    ],
)
def test_benchmark_noise_is_that_of_the_published_scripts(image, convention, script):
    """Each reference draws from the global generators, as the scripts do."""
    expected = script(image, 25, "0003_x2.png")
    actual = noise_of_testset(image, 25, convention, "0003_x2.png")
    assert actual.dtype == torch.float32
    torch.testing.assert_close(actual, expected, rtol=0, atol=2e-7)


@pytest.mark.parametrize("convention", NOISE_CONVENTIONS)
def test_benchmark_noise_leaves_global_generators_alone(image, convention):
    numpy_state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    noise_of_testset(image, 25, convention, "a.png")
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torch_state)


def test_only_the_sha256_convention_depends_on_the_file_name(image):
    for convention in NOISE_CONVENTIONS:
        first, second = (noise_of_testset(image, 25, convention, name) for name in ("a", "b"))
        assert torch.equal(first, second) == (convention != "sha256_chw_rgb")


def test_colour_conventions_agree_on_gray_images():
    gray = torch.rand(1, 6, 5)
    rgb, bgr = (noise_of_testset(gray, 25, name, "") for name in ("numpy_hwc_rgb", "numpy_hwc_bgr"))
    assert torch.equal(rgb, bgr)


def test_unknown_convention_is_refused(image):
    with pytest.raises(ValueError, match="'restormer' is unknown; allowed: numpy_hwc_rgb, "):
        noise_of_testset(image, 25, "restormer", "")
