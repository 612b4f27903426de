"""Patches of one image never take the place of another without a word."""

from __future__ import annotations

import pytest
from semanir_arch.data.image_io import write_image

from semanir_arch.data.preparation.extraction import extract
from semanir_arch.data.preparation.patch_manifest import PatchManifest
from semanir_arch.data.preparation.patches import Group, PatchGrid, View
from tests.helpers import make_image


@pytest.mark.parametrize("numbering", ["-{number}", "_s{number:03d}"])
@pytest.mark.parametrize(("number", "told"), [(2, True), (9, False)])
def test_a_whole_image_named_like_a_patch_is_told(numbering, number, told, tmp_path):
    names = {"a": (8, 16, 3), "a" + numbering.format(number=number): (4, 4, 3)}
    groups = []
    for name, shape in names.items():
        write_image(tmp_path / "in" / f"{name}.png", make_image(shape))
        view = View(tmp_path / "in" / f"{name}.png", tmp_path / "out", name)
        groups.append(Group(name, (view,), PatchGrid(8, 8, max_whole=4), numbering, first=1))
    problems = extract(groups, PatchManifest(tmp_path / "out", {}), workers=1)
    assert len(problems) == told
    assert all("is kept whole under the name of a patch of" in problem for problem in problems)
