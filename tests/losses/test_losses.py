"""Every loss against a computation of its own in NumPy or SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
import torch

from semanir_arch import host, plugin
from semanir_arch.losses import LOSSES, FFTLoss, PSNRLoss, SmoothL1Loss, fft_loss, psnr_loss


@pytest.fixture
def images():
    """Restored and clean images (3, 3, 10, 13) in float64."""
    target = torch.rand(3, 3, 10, 13, dtype=torch.float64)
    return target + 0.2 * torch.randn_like(target), target


def basicsr_loss(name, **arguments):
    return host.load("basicsr.losses").build_loss({"type": name, **arguments})


def test_l1_and_charbonnier_are_those_of_basicsr(images):
    difference = (images[0] - images[1]).numpy()
    assert basicsr_loss("L1Loss", loss_weight=2.0)(*images).item() == pytest.approx(
        2 * np.abs(difference).mean()
    )
    assert basicsr_loss("CharbonnierLoss", eps=1e-6)(*images).item() == pytest.approx(
        np.sqrt(difference**2 + 1e-3**2).mean()
    )


def test_psnr_loss_is_the_mean_of_the_images_psnr_not_of_their_errors(images):
    errors = ((images[0] - images[1]).numpy() ** 2).mean(axis=(1, 2, 3))
    expected = np.mean([10 * np.log10(error + 1e-8) for error in errors])
    assert psnr_loss(*images).item() == pytest.approx(expected)
    assert PSNRLoss(loss_weight=0.5)(*images).item() == pytest.approx(0.5 * expected)


def test_psnr_loss_of_equal_images_has_a_gradient(images):
    output = images[1].clone().requires_grad_()
    loss = psnr_loss(output, images[1])
    loss.backward()
    assert loss.item() == pytest.approx(-80)
    assert output.grad.isfinite().all()


@pytest.mark.parametrize("norm", ["backward", "ortho", "forward"])
@pytest.mark.parametrize("compared", ["complex", "amplitude"])
def test_fft_loss_is_the_distance_of_the_spectra(images, compared, norm):
    output, target = (scipy.fft.rfft2(image.numpy(), norm=norm) for image in images)
    if compared == "complex":
        difference = output - target
        expected = (np.abs(difference.real).mean() + np.abs(difference.imag).mean()) / 2
    else:
        expected = np.abs(np.abs(output) - np.abs(target)).mean()
    loss = FFTLoss(loss_weight=0.1, compared=compared, norm=norm)
    assert loss(*images).item() == pytest.approx(0.1 * expected)


def test_fft_loss_computes_half_precision_in_float32(images):
    half = tuple(image.to(torch.bfloat16) for image in images)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = fft_loss(*half)
    assert loss.dtype == torch.float32
    expected = fft_loss(*(image.float() for image in half))
    torch.testing.assert_close(loss, expected, rtol=0, atol=0)


@pytest.mark.parametrize("beta", [1.0, 0.1])
def test_smooth_l1_is_a_square_near_zero_and_a_line_far_away(images, beta):
    size = np.abs((images[0] - images[1]).numpy())
    expected = np.where(size < beta, size**2 / (2 * beta), size - beta / 2).mean()
    assert SmoothL1Loss(loss_weight=3.0, beta=beta)(*images).item() == pytest.approx(3 * expected)


@pytest.mark.parametrize(
    ("loss", "arguments", "message"),
    [
        ("FFTLoss", {"compared": "phase"}, "compared='phase' is unknown; allowed: complex"),
        ("FFTLoss", {"norm": "none"}, "norm='none' is unknown; allowed: backward"),
        ("PSNRLoss", {"reduction": "sum"}, "reduction='sum'; allowed: 'mean'"),
        ("SmoothL1Loss", {"beta": 0}, "beta=0 must be above 0"),
    ],
)
def test_what_is_not_allowed_is_refused(loss, arguments, message):
    with pytest.raises(ValueError, match=message):
        LOSSES[loss](**arguments)


def test_option_files_find_them_by_name():
    assert plugin.ENTRIES["LOSS_REGISTRY"] == LOSSES
    assert isinstance(basicsr_loss("PSNRLoss", loss_weight=0.5), PSNRLoss)
