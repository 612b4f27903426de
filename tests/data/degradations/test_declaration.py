"""Declared settings: what is read, what is refused, and how kinds are drawn."""

from __future__ import annotations

import numpy as np
import pytest

from semanir_arch.data.degradations import exposure, old_photograph, second_order, shuffled
from semanir_arch.data.degradations.declaration import (
    Chance,
    Choice,
    Number,
    Shares,
    as_options,
    parse_settings,
    pick,
)
from semanir_arch.data.degradations.levels import parse_level

DECLARED = {
    "width": Number([1, 3], 0, 10, "in pixels"),
    "count": Number(2, 0, 10, "of them", whole=True),
    "chance": Chance(0.5, "of it"),
    "kinds": Shares({"a": 1, "b": 3, "c": 0}, "kinds"),
    "word": Choice("x", ("x", "y"), "a word"),
}


def test_defaults_and_given_values_are_read():
    settings = parse_settings(DECLARED, {"chance": 1, "kinds": {"c": 2, "a": 2}, "word": "y"})
    assert settings["width"].values == (1, 3)
    assert settings["chance"] == 1
    assert settings["kinds"] == {"a": 0.5, "b": 0, "c": 0.5}
    assert settings["word"] == "y"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"width": 11}, r"width must lie in \[0, 10\], received 11"),
        ({"count": 1.5}, "count must be whole"),
        ({"chance": 1.5}, "chance must be a number from 0 to 1, received 1.5"),
        ({"chance": True}, "chance must be a number from 0 to 1"),
        ({"kinds": {"aa": 1}}, "kinds: 'aa' is unknown; did you mean 'a'"),
        ({"kinds": {"a": -1}}, "kinds: the share of a must be 0 or more, received -1"),
        ({"kinds": {"c": 0}}, "kinds: one share must be above 0"),
        ({"kinds": ["a"]}, "kinds must be shares such as {a: 1, b: 3, c: 0}"),
        ({"word": "z"}, "word must be one of x, y, received 'z'"),
    ],
)
def test_bad_values_are_refused_by_name(given, message):
    with pytest.raises(ValueError, match=message):
        parse_settings(DECLARED, given)


def test_kinds_are_drawn_by_their_shares():
    rng = np.random.default_rng(0)
    shares = parse_settings(DECLARED, {})["kinds"]
    drawn = [pick(shares, rng) for _ in range(4000)]
    assert drawn.count("b") / 4000 == pytest.approx(0.75, abs=0.03)
    assert "c" not in drawn


def test_numpy_draws_the_values_of_a_level():
    rng = np.random.default_rng(0)
    whole = [parse_level([1, 3], "x", 0, 9, whole=True).sample(rng) for _ in range(300)]
    assert set(whole) == {1, 2, 3}
    listed = [parse_level({"list": [1, 5]}, "x", 0, 9).sample(rng) for _ in range(50)]
    assert set(listed) == {1, 5}
    ranged = [parse_level([1, 3], "x", 0, 9).sample(rng) for _ in range(2000)]
    assert np.mean(ranged) == pytest.approx(2, abs=0.05)
    assert np.std(ranged) == pytest.approx(2 / 12**0.5, rel=0.05)


@pytest.mark.parametrize("module", [second_order, shuffled, exposure, old_photograph])
def test_the_defaults_of_a_damage_are_allowed_and_every_setting_is_explained(module):
    parse_settings(module.SETTINGS, {})
    options = as_options(module.SETTINGS)
    for name, option in options.items():
        assert option.default == module.SETTINGS[name].default
        assert module.SETTINGS[name].source in option.help
        assert module.SETTINGS[name].help
