from __future__ import annotations

import pytest
import torch

from semanir_arch.data.degradations.levels import parse_level
from tests.each import each


def draws(value, count=200):
    level = parse_level(value, "sigma", 0, 255)
    generator = torch.Generator().manual_seed(0)
    return [level.draw(generator) for _ in range(count)]


def test_number_is_constant():
    assert set(draws(25)) == {25.0}
    assert parse_level(25, "sigma", 0, 255).is_constant


def test_range_is_uniform_between_its_ends():
    values = draws([10, 50], 2000)
    assert 10 <= min(values) < 11
    assert 49 < max(values) < 50
    assert sum(values) / len(values) == pytest.approx(30, abs=1)
    assert not parse_level([10, 50], "sigma", 0, 255).is_constant


def test_list_gives_every_value_equally_often():
    values = draws({"list": [15, 25, 50]}, 1500)
    assert set(values) == {15.0, 25.0, 50.0}
    assert all(400 < values.count(value) < 600 for value in set(values))


@each(
    "value",
    [
        "25",
        None,
        True,
        [],
        [1],
        [1, 2, 3],
        [1, "2"],
        {},
        {"list": []},
        {"list": 5},
        {"values": [5]},
    ],
)
def test_other_forms_are_refused(value):
    with pytest.raises(ValueError, match=r"sigma must be a number, a range .* received"):
        parse_level(value, "sigma", 0, 255)


@pytest.mark.parametrize("value", [-1, 256, [0, 300], {"list": [25, -5]}, float("nan")])
def test_values_beyond_the_limits_are_refused(value):
    with pytest.raises(ValueError, match=r"sigma must lie in \[0, 255\], received"):
        parse_level(value, "sigma", 0, 255)


def test_descending_range_is_refused():
    with pytest.raises(ValueError, match="must go from low to high"):
        parse_level([50, 0], "sigma", 0, 255)


def test_whole_ranges_hold_all_numbers_and_both_ends():
    level = parse_level([10, 13], "quality", 1, 100, whole=True)
    generator = torch.Generator().manual_seed(0)
    values = [level.draw(generator) for _ in range(800)]
    assert set(values) == {10, 11, 12, 13}
    assert all(150 < values.count(value) < 250 for value in set(values))


@pytest.mark.parametrize("value", [10.5, [10, 20.5], {"list": [10, 11.5]}])
def test_fractions_are_refused_where_only_whole_numbers_make_sense(value):
    with pytest.raises(ValueError, match="quality must be whole, received"):
        parse_level(value, "quality", 1, 100, whole=True)


def test_a_value_lies_at_a_share_of_the_way():
    assert parse_level([10, 50], "sigma", 0, 255).at(0.25) == 20
    assert parse_level([10, 1000], "sigma", 0, 2000, log=True).at(0.5) == pytest.approx(100)
    assert parse_level([0, 50], "sigma", 0, 255, log=True).at(0.5) == 25
    whole = parse_level([1, 3], "quality", 1, 100, whole=True)
    assert [whole.at(share) for share in (0, 0.34, 0.67, 0.999)] == [1, 2, 3, 3]
    listed = parse_level({"list": [15, 25, 50]}, "sigma", 0, 255)
    assert [listed.at(share) for share in (0, 0.5, 0.999)] == [15, 25, 50]
    assert parse_level(7, "sigma", 0, 255).at(0.9) == 7
