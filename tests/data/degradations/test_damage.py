"""Every damage is declared completely, and its declaration is what its function obeys."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from semanir_arch.data.datasets.degraded import DEGRADED
from semanir_arch.data.degradations.damage import DrawnDamage, Recipe
from semanir_arch.data.degradations.damages import DAMAGES, find_damage
from semanir_arch.data.degradations.declaration import Number
from tests.each import each

BOUNDED = [
    (damage, name)
    for damage in DAMAGES.values()
    if isinstance(damage, DrawnDamage)
    for name, setting in damage.settings.items()
    if isinstance(setting, Number) and damage.name != "noise"
]


def values_of(damage, **changed):
    settings = damage.settings.items()
    return {n: s.highest if isinstance(s, Number) else s.default for n, s in settings} | changed


@each("damage, name", BOUNDED)
def test_a_function_takes_the_declared_limits_and_nothing_beyond(damage, name):
    setting, image = damage.settings[name], torch.full((3, 16, 16), 0.5)
    for allowed in (setting.lowest, setting.highest):
        result = damage.apply(image, values_of(damage, **{name: allowed}), torch.Generator())
        assert result.isfinite().all()
    for value in (setting.lowest - 1, setting.highest + 1):
        with pytest.raises(ValueError, match=f"{name} must lie in"):
            damage.apply(image, values_of(damage, **{name: value}), torch.Generator())


def test_former_names_lead_to_one_damage():
    words = [word for damage in DAMAGES.values() for word in (damage.name, *damage.aliases)]
    assert len(words) == len(set(words))
    assert find_damage("gaussian") is DAMAGES["noise"]
    assert find_damage("nothing") is None


def test_a_data_set_has_the_settings_of_its_damage_as_options():
    for kind in DEGRADED:
        declared = kind.DAMAGE.settings
        assert declared.keys() <= kind.OPTIONS.keys()
        for name, setting in declared.items():
            assert kind.OPTIONS[name].default == setting.option().default


class Watched(dict):
    """Settings that remember which of them were asked for."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.read = set()

    def __getitem__(self, key):
        self.read.add(key)
        return super().__getitem__(key)


def test_a_recipe_reads_all_its_settings():
    image = np.random.default_rng(0).random((24, 24, 3), dtype=np.float32)
    for damage in DAMAGES.values():
        if isinstance(damage, Recipe):
            given = {"scale": max(damage.scales)} if len(damage.scales) > 1 else {}
            settings = damage.draw(damage.parse(given), torch.Generator())
            watched = Watched(settings)
            for seed in range(60):  # what has a chance is read once it happens
                damage.apply(image, watched, np.random.default_rng(seed))
                if damage.settings.keys() <= watched.read:
                    break
            assert damage.settings.keys() <= watched.read, damage.name
