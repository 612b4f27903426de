from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semanir_arch.data.files.image_io import load_image, write_image
from semanir_arch.data.preparation.patches import (
    Group,
    PatchGrid,
    View,
    cut,
    cut_to_files,
    sharpness,
)
from tests.helpers import make_image

SIDES = st.integers(1, 90)


@given(SIDES, SIDES, st.integers(1, 40), st.integers(1, 40), st.booleans(), st.integers(0, 60))
def test_windows_lie_inside_are_distinct_and_leave_no_gap(h, w, size, step, centre, max_whole):
    tiling = PatchGrid(size, step, max_whole=max_whole, centre=centre)
    windows = tiling.windows(h, w)
    assert len(set(windows)) == len(windows) > 0
    covered = np.zeros((h, w), bool)
    for top, left, height, width in windows:
        assert 0 <= top <= top + height <= h
        assert 0 <= left <= left + width <= w
        assert min(h, w) <= max_whole or (height, width) == (min(size, h), min(size, w))
        covered[top : top + height, left : left + width] = True
    if min(h, w) <= max_whole or (step <= size and not centre):
        assert covered.all()
    assert windows == sorted(windows)


def test_images_at_the_limit_stay_whole():
    tiling = PatchGrid(16, 12, max_whole=40)
    assert tiling.windows(40, 100) == [(0, 0, 40, 100)]
    assert len(tiling.windows(41, 100)) > 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "size must be 1 or more"),
        ({"step": 0}, "step must be 1 or more"),
        ({"max_whole": -1}, "max_whole must be 0 or more"),
        ({"drop_blurred": 1.0}, r"drop_blurred must lie in \[0, 1\)"),
    ],
)
def test_impossible_tilings_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        PatchGrid(**{"size": 16, "step": 12, **options})


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_sharpness_follows_the_definition(dtype):
    """Against the sums of gradients from explicit Sobel kernels."""
    from scipy.ndimage import correlate1d

    def kernels(size):
        smooth = np.array([1.0])
        for _ in range(size - 3):
            smooth = np.convolve(smooth, [1, 1])
        return np.convolve(smooth, [1, 2, 1]), np.convolve(smooth, [-1, 0, 1])

    patches = [make_image((24, 24, 1), dtype, seed=seed) // (seed + 1) for seed in range(5)]
    energy = np.empty((5, 4))
    for row, patch in enumerate(patches):
        gray = patch[..., 0].astype(np.float64)
        for column, size in enumerate((3, 7, 11, 15)):
            smooth, slope = kernels(size)
            across = correlate1d(
                correlate1d(gray, slope, 1, mode="mirror"), smooth, 0, mode="mirror"
            )
            down = correlate1d(correlate1d(gray, slope, 0, mode="mirror"), smooth, 1, mode="mirror")
            energy[row, column] = np.hypot(across, down).sum()
    span = energy.max(axis=0) - energy.min(axis=0)
    expected = ((energy - energy.min(axis=0)) / span).prod(axis=1)
    np.testing.assert_allclose(sharpness(patches), expected, atol=1e-9)
    assert list(np.argsort(-expected)) == [0, 1, 2, 3, 4]


def test_least_sharp_patches_are_dropped_and_the_order_kept():
    image = make_image((20, 200, 3))
    # blocks 2, 5 and 8 are the flattest
    for block in (2, 5, 8):
        image[:, 20 * block : 20 * block + 20] //= 40
    tiling = PatchGrid(20, 20, drop_blurred=0.35)
    windows = tiling.windows(20, 200)
    kept = tiling.choose(image, windows)
    assert [left // 20 for _, left, _, _ in kept] == [0, 1, 3, 4, 6, 7, 9]


@pytest.fixture
def scene(tmp_path):
    """High and low resolution whose sides are no multiples of the scales."""
    high = make_image((53, 76, 3))
    write_image(tmp_path / "high.png", high)
    lows = {scale: make_image((-(-53 // scale), -(-76 // scale), 3)) for scale in (2, 3)}
    views = [View(tmp_path / "high.png", tmp_path / "H", "a")]
    for scale, low in lows.items():
        write_image(tmp_path / f"low{scale}.png", low)
        views.append(View(tmp_path / f"low{scale}.png", tmp_path / f"X{scale}", "a", scale))
    return Group("a", tuple(views), PatchGrid(24, 12)), high, lows


def test_patches_of_all_scales_show_the_same_place(scene):
    group, high, lows = scene
    record, patches = cut(group)
    patches = list(patches)
    # the largest part that all scales divide is 48 x 72
    places = [(top, left) for top in (0, 12, 24) for left in (0, 12, 24, 36, 48)]
    assert record["patches"] == len(places)
    for number, (top, left) in enumerate(places):
        np.testing.assert_array_equal(patches[number], high[top : top + 24, left : left + 24])
        for row, (scale, low) in enumerate(lows.items(), start=1):
            expected = low[top // scale : (top + 24) // scale, left // scale : (left + 24) // scale]
            np.testing.assert_array_equal(patches[row * len(places) + number], expected)


def test_images_that_do_not_belong_together_are_refused(scene, tmp_path):
    group, _, _ = scene
    write_image(tmp_path / "low3.png", make_image((18, 23, 3)))
    with pytest.raises(ValueError, match=r"sizes do not fit together: .*low3.png 23x18"):
        cut(group)


def test_files_have_the_names_of_the_group(scene):
    group, _, _ = scene
    record = cut_to_files(group)
    for output, name in group.names(record):
        assert load_image(output / f"{name}.png").pixels.size
    assert len(list(group.views[2].output.iterdir())) == record["patches"] == 15
