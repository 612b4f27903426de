"""What a network took away is told apart: noise, which is everywhere, and texture."""

from __future__ import annotations

import numpy as np
import pytest

from semanir_arch.restoring.diagnosis.evenness import found_grain, took_noise, unevenness

NOISE = np.random.default_rng(0).normal(0, 4, (96, 128, 1))


def changed(where, *, channels=3, dtype=np.uint8, level=120):
    """A flat result, and what was there before: noise where `where` is 1."""
    white = np.iinfo(dtype).max / 255
    after = np.full((96, 128, channels), level, np.float64)
    before = after + NOISE * where
    return [(white * one).round().astype(dtype) for one in (before, after)]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_noise_everywhere_is_even_and_texture_in_places_is_not(channels, dtype):
    half = (np.arange(128) < 64).reshape(1, 128, 1)
    assert unevenness(*changed(1, channels=channels, dtype=dtype)) < 1.3
    assert unevenness(*changed(half, channels=channels, dtype=dtype)) > 10
    assert took_noise(*changed(1, channels=channels, dtype=dtype))
    assert not took_noise(*changed(half, channels=channels, dtype=dtype))


def test_only_grain_that_counts_is_found():
    half = (np.arange(128) < 64).reshape(1, 128, 1)
    for dtype in (np.uint8, np.uint16):
        assert found_grain(*changed(1, dtype=dtype))
        assert not found_grain(*changed(half, dtype=dtype))
        # 0.5 levels, 54 dB
        assert not found_grain(*changed(1 / 8, dtype=dtype))
        assert found_grain(*changed(1 / 8, dtype=dtype), strength=1 / 8)


def test_opacity_does_not_count():
    before, after = changed(1, channels=4)
    before[:48, :, 3] = NOISE[:48, :, 0] > 0
    assert unevenness(before, after) == unevenness(before[..., :3], after[..., :3])


def test_where_noise_is_cut_off_nothing_is_expected():
    before, after = changed(1)
    before[:, :64] = after[:, :64] = 255
    assert unevenness(before, after) < 1.3


@pytest.mark.parametrize("shape", [(1, 1), (15, 400), (40, 40)])
def test_in_pictures_of_few_blocks_nothing_is_told(shape):
    generator = np.random.default_rng(1)
    before, after = generator.integers(0, 256, (2, *shape, 3), dtype=np.uint8)
    assert unevenness(before, after) == 1
