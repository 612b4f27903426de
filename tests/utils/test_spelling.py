"""Hints at names that look the same."""

from __future__ import annotations

import unicodedata

import pytest

from semanir_arch.utils.spelling import hint_at_names, hint_at_path

NFC = unicodedata.normalize("NFC", "Z\u00fcrich")
NFD = unicodedata.normalize("NFD", NFC)


@pytest.mark.parametrize(("wanted", "present"), [(NFC, NFD), (NFD, NFC)])
def test_letters_stored_in_another_way_are_told(wanted, present, tmp_path):
    hint = hint_at_names(["x", wanted], ["y", present])
    assert hint.startswith(f"; {present} is there")
    assert "NFC and NFD" in hint
    (tmp_path / present / "1").mkdir(parents=True)
    assert "NFC and NFD" in hint_at_path(tmp_path / wanted / "1")


def test_another_case_is_told_and_nothing_else():
    assert hint_at_names(["IMG_1"], ["img_1"]).endswith("in another case: rename one of them")
    assert hint_at_names(["img_1"], ["img_2"]) == ""
    assert hint_at_path("/nothing/here") == ""
