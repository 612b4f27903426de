from __future__ import annotations

import pytest

from semanir_arch.restoring.explain.pixel_grid import choose_area, choose_grid
from tests.each import each


def test_photos_up_to_a_megapixel_are_taken_whole():
    assert choose_area((1024, 1024), (5, 5), 64) == (slice(0, 1024), slice(0, 1024))


@each("multiple", [16, 48, 256, 640])
@each("pixel", [(0, 0), (1500, 2000), (2999, 3999), (700, 3000)])
def test_of_larger_photos_a_part_around_the_pixel_is_taken(pixel, multiple):
    area = choose_area((3000, 4000), pixel, multiple)
    for part, place, length in zip(area, pixel, (3000, 4000), strict=True):
        assert part.start % multiple == 0
        assert part.start <= place < part.stop <= length
        side = part.stop - part.start
        assert side <= max(512 + multiple, 2 * multiple)
        assert side >= 512 or part.stop == length
        assert side > 512 - multiple


@pytest.mark.parametrize("length", [5000, 90_000])
def test_a_narrow_photo_is_as_narrow_in_its_part(length):
    rows, columns = choose_area((10, length), (3, length - 1), 32)
    assert rows == slice(0, 10)
    assert 480 < columns.stop - columns.start <= 512
    assert columns.stop == length


@pytest.mark.parametrize(("budget", "step"), [(10**9, 1), (59_999, 2), (1, 20)])
def test_the_grid_is_as_dense_as_the_budget_allows_and_holds_the_pixel(budget, step):
    grid = choose_grid((20, 30), (7, 11), cost=100, budget=budget)
    count = len(grid.rows) * len(grid.columns)
    assert count * 100 <= budget or count == 1
    assert grid.pixels[grid.index(7, 11)].tolist() == [7, 11]
    assert len(grid.pixels) == count
    if budget > 1:
        assert grid.rows.step == step
