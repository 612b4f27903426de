"""Types and annotations judge values as YAML gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Optional, Union

import pytest
from torch import Tensor

from semanir_arch.utils.options import REQUIRED, read_options, signature_options
from semanir_arch.utils.options.option_types import Option
from semanir_arch.utils.values import describe, matches
from tests.each import each


@each(
    "expected, good, bad, words",
    [
        (int, [1, -1], [1.0, True, "1", None, [1]], "int"),
        (float, [1, 1.5], [True, "1.5", None], "float"),
        (bool, [True], [1, "true"], "bool"),
        (str, ["a", ""], [1, None, ["a"]], "str"),
        ((int, str), [1, "a"], [1.5, None], "int or str"),
        (int | None, [1, None], ["a"], "int or null"),
        (Optional[int], [1, None], ["a"], "int or null"),  # noqa: UP045 - older annotations occur
        (Union[int, list[int]], [1, [1]], [["a"]], "int or list of int"),  # noqa: UP007 - as above
        (list[int], [[], [1, 2], (1,)], [[1, "a"], 1, "ab"], "list of int"),
        (Sequence[int], [[1]], [["a"], "ab"], "list of int"),
        (tuple[int, int], [[1, 2]], [[1], [1, "a"]], "list of 2 int"),
        (tuple[float, ...], [[1, 2.5, 3]], [["a"]], "list of float"),
        (Literal["a", "b"], ["a"], ["c", 1], "'a' or 'b'"),
        (dict, [{}], [[], 1], "keys and values"),
        (Mapping[str, int], [{"a": 1}], [1], "keys and values"),
        (Path, ["a/b"], [1], "Path"),
        (Tensor | float, [1.0], ["a"], "Tensor or float"),
        (Any, [1, None, "a"], [], "anything"),
    ],
)
def test_values_against_annotations(expected, good, bad, words):
    assert all(matches(value, expected) for value in good)
    assert not any(matches(value, expected) for value in bad)
    assert describe(expected) == words


def test_a_constructor_is_a_schema():
    class Example:
        def __init__(self, width: int, depths: list[int] | None = None) -> None: ...

    options = signature_options(Example)
    assert options is not None
    assert list(options) == ["width", "depths"]
    assert options["width"].default is REQUIRED
    assert options["depths"].type == list[int] | None


def test_keywords_of_any_name_are_no_schema():
    def function(a, **rest): ...

    assert signature_options(function) is None


def test_arguments_of_the_caller_are_left_out():
    def metric(img, img2, border=0): ...

    options = signature_options(metric, skip=("img", "img2"))
    assert list(options) == ["border"]


def test_declared_options_are_read_with_their_defaults():
    declared = {"sigma": Option(int), "channels": Option(int, default=3)}
    assert read_options(declared, {"sigma": 5, "name": "x"}) == {"sigma": 5, "channels": 3}
    with pytest.raises(ValueError, match=r"missing option.*sigma"):
        read_options(declared, {})
