"""Weights of a related network in another shape."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from semanir_arch.archs import build_network
from semanir_arch.bridges.converting import convert
from semanir_arch.shipping.warm_start import (
    fit,
    prepare_start,
    start_by_interpolating,
)
from semanir_arch.utils.checkpoint import load_checkpoint
from semanir_arch.weights import TASKS
from tests.helpers import TINY_SR, TINY_UNET, save_weights

SR = {**TINY_SR, "embed_dim": 16}


def fitted(network, options):
    """Another network with the weights of this one."""
    other = build_network(options)
    given = network.state_dict()
    other.load_state_dict({name: fit(given[name], own) for name, own in other.state_dict().items()})
    return other.eval()


@pytest.mark.parametrize("unshuffle", [1, 2])
def test_a_gray_network_sees_gray_as_the_colour_network_does(unshuffle):
    options = {**TINY_UNET, "unshuffle": unshuffle}
    colour = build_network(options).eval()
    gray = fitted(colour, {**options, "in_chans": 1})
    x = torch.rand(1, 1, 8, 8)
    with torch.no_grad():
        expected = colour(x.expand(-1, 3, -1, -1)).mean(dim=1, keepdim=True)
        assert torch.allclose(gray(x), expected, atol=1e-6)


def test_enlarging_fourfold_begins_as_doubled_pixels_of_enlarging_twofold():
    twice = build_network(SR).eval()
    fourfold = fitted(twice, {**SR, "upscale": 4})
    x = torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        expected = twice(x).repeat_interleave(2, 2).repeat_interleave(2, 3)
        assert torch.allclose(fourfold(x), expected, atol=1e-6)


@pytest.mark.parametrize("upscale", [2, 4])
def test_super_resolution_begins_as_interpolation(upscale):
    network = build_network({**SR, "upscale": upscale}).eval()
    assert start_by_interpolating(network)
    x = F.interpolate(torch.rand(1, 3, 4, 4), size=(16, 16), mode="bicubic")
    with torch.no_grad():
        error = network(x) - F.interpolate(x, scale_factor=upscale, mode="bilinear")
    inside = error[..., upscale:-upscale, upscale:-upscale]
    assert inside.abs().mean() < 0.01


def test_other_networks_do_not_begin_as_interpolation():
    assert not start_by_interpolating(build_network(TINY_UNET))


def test_what_has_no_counterpart_is_left_alone():
    assert fit(None, torch.zeros(2)) is None
    assert fit(torch.zeros(5, 4), torch.zeros(3, 4)) is None
    assert fit(torch.zeros(3, 4, 1), torch.zeros(3, 4)) is None


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """Working folder, and a folder with the weights of color denoising."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "shipped"
    folder.mkdir()
    save_weights(folder / "weights.pth", TINY_UNET)
    convert(folder / "weights.pth", folder / "denoise.safetensors")
    return folder


def test_a_task_starts_from_its_own_weights_or_from_a_related_one(shipped):
    own = prepare_start(TASKS["denoise"], TINY_UNET, folder=shipped)
    assert own.origin.startswith("denoise.safetensors (")
    gray = {**TINY_UNET, "in_chans": 1}
    related = prepare_start(TASKS["jpeg_gray"], gray, folder=shipped)
    assert related.origin.startswith("denoise.safetensors (")
    build_network(gray).load_state_dict(load_checkpoint(related.file).params)


def test_without_weights_a_task_starts_at_random(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert prepare_start(TASKS["denoise"], TINY_UNET, folder=tmp_path) is None


def test_random_weights_can_be_asked_for(shipped):
    assert prepare_start(TASKS["denoise"], TINY_UNET, "none", shipped) is None


def test_a_file_to_start_from_must_exist(shipped):
    with pytest.raises(FileNotFoundError, match=r"nothing\.pth"):
        prepare_start(TASKS["denoise"], TINY_UNET, "nothing.pth", shipped)
