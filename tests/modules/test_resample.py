"""Samplers halve and double, reconstructors enlarge, and unknown kinds are named."""

from __future__ import annotations

import pytest
import torch

from semanir_arch.modules.resample import (
    PixelShuffleDirect,
    PixelShuffleReconstructor,
    make_downsampler,
    make_upsampler,
)


@pytest.mark.parametrize("kind", ["unshuffle", "strided2", "strided3"])
def test_downsampler_halves(kind: str) -> None:
    assert make_downsampler(kind, 6, 20)(torch.rand(1, 6, 8, 10)).shape == (1, 20, 4, 5)


@pytest.mark.parametrize("kind", ["shuffle", "transposed"])
def test_upsampler_doubles(kind: str) -> None:
    assert make_upsampler(kind, 20, 6)(torch.rand(1, 20, 4, 5)).shape == (1, 6, 8, 10)


@pytest.mark.parametrize("upscale", [2, 3, 4, 8])
def test_reconstructors_enlarge(upscale: int) -> None:
    x = torch.rand(1, 12, 5, 6)
    for reconstructor in (PixelShuffleReconstructor, PixelShuffleDirect):
        assert reconstructor(12, 3, upscale)(x).shape == (1, 3, 5 * upscale, 6 * upscale)


def test_impossible_requests_are_named() -> None:
    with pytest.raises(ValueError, match="upscale=5 is not possible"):
        PixelShuffleReconstructor(12, 3, 5)
    with pytest.raises(ValueError, match=r"downsample='pool' is unknown.*'unshuffle'"):
        make_downsampler("pool", 4, 8)
    with pytest.raises(ValueError, match=r"upsample='nearest' is unknown.*'shuffle'"):
        make_upsampler("nearest", 8, 4)
    with pytest.raises(ValueError, match="divisible by 4, got 10"):
        make_downsampler("unshuffle", 5, 10)
