"""Names that macOS or Windows take for one."""

from __future__ import annotations

import pytest

from semanir_arch.utils.same_names import clashes, first_clash, folded


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("IMG_1.JPG", "img_1.jpg"),
        ("caf\u00e9", "cafe\u0301"),
        ("CAFE\u0301", "caf\u00e9"),
        ("STRASSE", "stra\u00dfe"),
    ],
)
def test_case_and_composition_do_not_count(one, other):
    assert folded(one) == folded(other)
    assert first_clash(["a", one, "b", other]) == (one, other)
    assert clashes(["a", one, "b", "a", other]) == [["a"], [one, other]]


def test_other_names_differ():
    assert first_clash(["a.png", "a.jpg", "cafe", "caf\u00e9", "a_1", "a1"]) is None
