"""A leaf and its fragments become one tree."""

from __future__ import annotations

import pytest

from semanir_arch.utils.options.inheritance import merge_file
from semanir_arch.utils.options.problems import OptionError


def test_mappings_merge_and_the_leaf_replaces_everything_else(write):
    write("base/a.yml", "train: {lr: 1, betas: [1, 2]}\nscale: 2\n")
    write("base/b.yml", "train: {total_iter: 10}\n")
    leaf = write("leaf/x.yml", "_base_: [../base/a.yml, ../base/b.yml]\ntrain: {betas: [3]}\n")
    merged = merge_file(leaf)
    assert merged.options == {"train": {"lr": 1, "betas": [3], "total_iter": 10}, "scale": 2}


def test_origins_name_file_and_line(write):
    write("a.yml", "train:\n  lr: 1\n  beta: 2\n")
    leaf = write("x.yml", "_base_: [a.yml]\n\ntrain: {beta: 3}\n")
    merged = merge_file(leaf)
    assert merged.origin(("train", "lr")) == "a.yml:2"
    assert merged.origin(("train", "beta")) == "x.yml:3"
    assert merged.origin(("train", "beta", "deeper")) == "x.yml:3"
    assert merged.origin(("absent",)) == "x.yml"


@pytest.mark.parametrize("second", ["train: {lr: 2}", "train: 3"])
def test_fragments_that_overlap_are_refused(write, second):
    write("a.yml", "other: 1\ntrain:\n  lr: 1\n")
    write("b.yml", second)
    leaf = write("x.yml", "_base_: [a.yml, b.yml]")
    with pytest.raises(OptionError, match=r"b\.yml:1: train.*: a\.yml:[23] sets train"):
        merge_file(leaf)


def test_fragments_do_not_inherit(write):
    write("a.yml", "_base_: [b.yml]")
    leaf = write("x.yml", "_base_: [a.yml]")
    with pytest.raises(OptionError, match=r"a\.yml:1: _base_: a fragment cannot inherit"):
        merge_file(leaf)


@pytest.mark.parametrize("listed", ["a.yml", "[1]", "{a: b}"])
def test_base_must_be_a_list_of_files(write, listed):
    leaf = write("x.yml", f"_base_: {listed}")
    with pytest.raises(OptionError, match="expected a list of files"):
        merge_file(leaf)


def test_a_missing_fragment_is_named_as_written_and_as_sought(write):
    leaf = write("leaf/x.yml", "scale: 2\n_base_: [../base/a.yml]")
    with pytest.raises(OptionError, match=r"x\.yml:2: _base_: .*\.\./base/a\.yml \(.* base/a\.yml"):
        merge_file(leaf)


def test_a_plain_file_is_its_own_result(write):
    leaf = write("x.yml", "name: plain\nscale: 2\n")
    merged = merge_file(leaf)
    assert (merged.options, merged.fragments) == ({"name": "plain", "scale": 2}, [])
