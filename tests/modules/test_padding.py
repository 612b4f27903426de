"""Padding must mirror the image and come off again without a trace."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from semanir_arch.modules.padding import crop, pad_around, pad_to_multiple
from tests.each import each


@each("size", [(1, 1), (1, 9), (2, 3), (7, 8), (8, 8), (9, 31)])
@each("multiple", [1, 8, 32])
@each("mode", ["reflect", "symmetric"])
def test_mirroring_equals_numpys_and_crops_off(
    size: tuple[int, int], multiple: int, mode: str
) -> None:
    x = torch.rand(2, 3, *size)
    padded, kept = pad_to_multiple(x, multiple, mode)
    down, right = (-side % multiple for side in size)
    expected = np.pad(x.numpy(), ((0, 0), (0, 0), (0, down), (0, right)), mode=mode)
    assert torch.equal(padded, torch.from_numpy(expected))
    assert torch.equal(crop(padded, kept), x)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (9, 31)])
def test_mirroring_beyond_all_sides_equals_numpys(size: tuple[int, int]) -> None:
    x = torch.rand(2, 3, *size)
    expected = np.pad(x.numpy(), ((0, 0), (0, 0), (8, 8), (8, 8)), mode="symmetric")
    assert torch.equal(pad_around(x, 8), torch.from_numpy(expected))


def test_replicate_repeats_the_edge() -> None:
    padded, _ = pad_to_multiple(torch.arange(6.0).view(1, 1, 2, 3), 4, mode="replicate")
    assert padded[0, 0].tolist() == [[0, 1, 2, 2], [3, 4, 5, 5], [3, 4, 5, 5], [3, 4, 5, 5]]


def test_crop_scales_the_size() -> None:
    assert crop(torch.zeros(1, 1, 32, 32), (5, 7), scale=4).shape == (1, 1, 20, 28)


def test_unknown_mode_and_empty_image_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'mirror' is unknown.*'reflect'"):
        pad_to_multiple(torch.zeros(1, 1, 4, 4), 8, mode="mirror")
    with pytest.raises(ValueError, match=r"at least one pixel.*\(1, 3, 0, 4\)"):
        pad_to_multiple(torch.zeros(1, 3, 0, 4), 8)
