from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import avg_pool2d, interpolate, pad

from semanir_arch.utils.tiling import Tiling, _spans, restore_tiled, restored_bands


@settings(deadline=None, max_examples=100)
@given(
    length=st.integers(1, 300),
    tile=st.integers(1, 80),
    overlap=st.integers(0, 79),
    multiple=st.sampled_from([1, 7, 8, 16]),
)
def test_shares_of_the_tiles_add_up_to_one_everywhere(length, tile, overlap, multiple):
    overlap = min(overlap, tile - 1)
    total = torch.zeros(length)
    for span in _spans(length, Tiling(tile, overlap), multiple):
        assert span.start % multiple == 0
        assert 0 <= span.start < span.stop <= length
        total[span.start : span.stop] += span.weights
    torch.testing.assert_close(total, torch.ones(length))


@settings(deadline=None, max_examples=30)
@given(height=st.integers(1, 90), width=st.integers(1, 90), scale=st.integers(1, 3))
def test_a_network_that_only_enlarges_gives_the_whole_image(height, width, scale):
    x = torch.rand(1, 2, height, width, generator=torch.Generator().manual_seed(height * width))

    def enlarge(part):
        return interpolate(part, scale_factor=scale, mode="nearest")

    tiled = restore_tiled(enlarge, x, Tiling(24, 8), multiple=8, scale=scale)
    torch.testing.assert_close(tiled, enlarge(x))


@pytest.mark.parametrize("overlap", [16, 24])
def test_a_network_of_short_reach_gives_the_result_of_the_whole_image(overlap):
    """Its reach of 4 pixels is a quarter of the overlap, which is thrown away."""
    x = torch.rand(1, 3, 130, 101)

    def blur(part):
        return avg_pool2d(pad(part, (4, 4, 4, 4), mode="replicate"), 9, stride=1)

    tiled = restore_tiled(blur, x, Tiling(48, overlap), multiple=8)
    torch.testing.assert_close(tiled, blur(x))
    cut = restore_tiled(blur, x, Tiling(48, 0), multiple=8)
    assert (cut - blur(x)).abs().max() > 0.01, "without overlap there are seams"


def test_tiles_are_no_larger_than_asked_but_for_the_multiple():
    sizes = []

    def remember(part):
        sizes.append(tuple(part.shape[-2:]))
        return part

    restore_tiled(remember, torch.rand(1, 1, 200, 150), Tiling(64, 16), multiple=16)
    assert max(max(size) for size in sizes) == 64
    assert len(sizes) == 4 * 3


@settings(deadline=None, max_examples=30)
@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    tile=st.integers(8, 40),
    share=st.floats(0, 0.95),
    scale=st.integers(1, 3),
)
def test_bands_make_up_the_result_and_tell_how_far_they_are(height, width, tile, share, scale):
    x = torch.rand(1, 2, height, width, generator=torch.Generator().manual_seed(height * width))
    told = []
    bands = restored_bands(
        lambda part: interpolate(part, scale_factor=scale, mode="nearest"),
        lambda rows, columns: x[..., rows, columns],
        (height, width),
        Tiling(tile, int(share * tile)),
        multiple=8,
        scale=scale,
        progress=told.append,
    )
    result = torch.cat(list(bands), dim=-2)
    torch.testing.assert_close(result, interpolate(x, scale_factor=scale, mode="nearest"))
    assert told == sorted(told)
    assert told[0] > 0
    assert told[-1] == 1


def test_a_band_is_no_larger_than_a_row_of_tiles():
    x = torch.rand(1, 1, 300, 50)
    bands = restored_bands(
        lambda part: part, lambda rows, columns: x[..., rows, columns], (300, 50), Tiling(32, 8)
    )
    held = [band.untyped_storage().nbytes() for band in bands]
    assert max(held) <= 4 * 32 * 50
    assert len(held) == 13


def test_the_input_is_not_changed():
    x = torch.rand(1, 1, 50, 50)
    before = x.clone()
    restore_tiled(lambda part: part, x, Tiling(20, 8))
    assert torch.equal(x, before)


@pytest.mark.parametrize(("tile", "overlap"), [(0, 0), (16, 16), (16, -1)])
def test_impossible_tilings_are_refused(tile, overlap):
    with pytest.raises(ValueError, match=rf"received ({tile}|{overlap})$"):
        Tiling(tile, overlap)
