"""Rules that hold for many cases: one test, which lists every case that breaks the rule."""

from __future__ import annotations

import functools
import inspect
import random
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
import torch

WANTED: list[str] = []
"""Words of `pytest --case`: only cases and tests that have one of them are run; all if empty."""


def is_wanted(text: str) -> bool:
    """Whether a text has one of the words of `--case`, or there are none."""
    return not WANTED or any(word.lower() in text.lower() for word in WANTED)


def has_wanted_case(function: Callable[..., None]) -> bool:
    """Whether a test made by `each` has a case with one of the words of `--case`."""
    cases = getattr(function, "cases_of_each", list)()
    return any(is_wanted(_show(case)) for case in cases)


def seed_all() -> None:
    """Every test and every case starts from the same random state, whatever ran before it."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - BasicSR draws from numpy's global generator
    torch.manual_seed(0)


def each(
    names: str, values: Iterable[Any] | Callable[[], Iterable[Any]]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Call a test with every case; as `pytest.mark.parametrize`, but as one test.

    A case has `tmp_path` as an empty folder, `monkeypatch` and the random state to itself, and
    finds nothing in `capsys` and `caplog`; all other fixtures are shared by all cases. No case may
    be skipped. Decorators above one another give all combinations.

    Args:
        names: Names of arguments, separated by commas.
        values: What they are in each case, a tuple where there are several; or what returns them,
            which is called when the test runs.
    """
    keys = [name.strip() for name in names.split(",")]

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        inner = getattr(function, "called_by_each", function)
        below = getattr(function, "cases_of_each", lambda: [{}])
        signature = inspect.signature(function)
        left = [p for name, p in signature.parameters.items() if name not in keys]

        def list_cases() -> list[dict[str, Any]]:
            given = values() if callable(values) else values
            named = [dict(zip(keys, v if len(keys) > 1 else (v,), strict=True)) for v in given]
            return [case | other for other in below() for case in named]

        @functools.wraps(inner)
        def test(**fixtures: Any) -> None:
            wrong, cases = [], list_cases()
            assert cases, "no case"
            # of a test that was named itself, all of them
            cases = [case for case in cases if is_wanted(_show(case))] or cases
            for number, case in enumerate(cases):
                try:
                    _call(inner, fixtures, case, number)
                except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - all are told
                    error.add_note(f"case {number}: {_show(case)}")
                    wrong.append(error)
            if len(wrong) == 1:
                raise wrong[0]
            if wrong:
                raise BaseExceptionGroup(f"{len(wrong)} of {len(cases)} cases failed", wrong)

        test.__signature__ = signature.replace(parameters=left)  # type: ignore[attr-defined]
        test.called_by_each, test.cases_of_each = inner, list_cases  # type: ignore[attr-defined]
        return test

    return decorate


def _call(
    function: Callable[..., None], fixtures: dict[str, Any], case: dict[str, Any], number: int
) -> None:
    own = dict(fixtures)
    seed_all()
    if "tmp_path" in own:
        own["tmp_path"] = own["tmp_path"] / f"case{number}"
        own["tmp_path"].mkdir()
    if "capsys" in own:
        own["capsys"].readouterr()
    if "caplog" in own:
        own["caplog"].clear()
    with pytest.MonkeyPatch.context() as monkeypatch:
        if "monkeypatch" in own:
            own["monkeypatch"] = monkeypatch
        try:
            function(**own, **case)
        except pytest.skip.Exception as reason:
            raise AssertionError(f"a case may not be skipped: {reason}") from reason


def _show(case: dict[str, Any]) -> str:
    return ", ".join(f"{name}={str(value)[:200]}" for name, value in case.items())
