"""A rule over many cases is one test that hides no case."""

from __future__ import annotations

import inspect
import random

import pytest

from tests.each import each


def test_every_combination_is_tried_by_itself(tmp_path, monkeypatch, capsys):
    tried = []

    @each("a", [1, 2])
    @each("b, c", [(3, 4), (5, 6)])
    def rule(tmp_path, monkeypatch, capsys, a, b, c):
        assert not [*tmp_path.iterdir()]
        assert not hasattr(pytest, "unknown")
        assert capsys.readouterr().out == ""
        tried.append((a, b, c, random.random()))
        (tmp_path / "left").touch()
        monkeypatch.setattr(pytest, "unknown", 1, raising=False)
        print("left")  # noqa: T201

    assert [*inspect.signature(rule).parameters] == ["tmp_path", "monkeypatch", "capsys"]
    rule(tmp_path=tmp_path, monkeypatch=monkeypatch, capsys=capsys)
    assert {case[:3] for case in tried} == {(1, 3, 4), (2, 3, 4), (1, 5, 6), (2, 5, 6)}
    assert len({case[3] for case in tried}) == 1


def test_all_cases_that_fail_are_listed():
    def rule(case):
        if case == "b":
            pytest.fail("told")
        if case == "d":
            pytest.skip("not here")
        assert case != "c"

    with pytest.raises(BaseExceptionGroup, match="3 of 5 cases failed") as caught:
        each("case", "abcda")(rule)()
    notes = [error.__notes__[0] for error in caught.value.exceptions]
    assert notes == ["case 1: case=b", "case 2: case=c", "case 3: case=d"]
    with pytest.raises(AssertionError, match="may not be skipped"):
        each("case", "ad")(rule)()
    each("case", lambda: "a")(rule)()
    with pytest.raises(AssertionError, match="no case"):
        each("case", "")(rule)()
