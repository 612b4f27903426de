from __future__ import annotations

import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semanir_arch.data.sources.name_table import NameTable, natural_order

# Python stands for a byte that is not UTF-8 by a lone surrogate
TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.just("\udcff"))


@given(st.lists(TEXT))
def test_a_table_is_the_list_it_was_made_of(names):
    table = NameTable(names)
    assert list(table) == names
    assert [table[index] for index in range(-len(names), len(names))] == names * 2
    assert list(table[1:3]) == names[1:3]
    assert pickle.loads(pickle.dumps(table)) == table
    with pytest.raises(IndexError):
        table[len(names)]


def test_a_table_takes_little_more_than_its_text():
    names = [f"scene/{number:07d}" for number in range(10000)]
    table = NameTable(names)
    assert table.nbytes == sum(map(len, names)) + 8 * len(names)
    assert len(pickle.dumps(table)) < table.nbytes + 1000


def by_definition(name):
    """Numbers compare as numbers, part by part."""
    return tuple(
        tuple(int(word) if word.isdecimal() else word for word in re.split("([0-9]+)", part))
        for part in name.split("/")
    )


@given(st.lists(st.text("ab012/").map("x{}y".format), unique_by=by_definition))
def test_natural_order_compares_numbers_as_numbers(names):
    assert natural_order(names) == sorted(names, key=by_definition)


def test_natural_order_is_defined_for_equal_numbers_and_long_ones():
    names = ["a" + "9" * 30, "a1" + "0" * 30, "a01", "a1", "b"]
    assert natural_order(reversed(names)) == ["a01", "a1", "a" + "9" * 30, "a1" + "0" * 30, "b"]
