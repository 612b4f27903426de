"""YAML is read as people write it, and written so that BasicSR reads the same."""

from __future__ import annotations

import math

import pytest
import yaml

from semanir_arch.utils.options import resolve
from semanir_arch.utils.options.problems import OptionError
from semanir_arch.utils.options.yaml_reading import load_file, parse_value, to_yaml
from tests.each import each


@each(
    "text, value",
    [
        ("2e-4", 2e-4),
        ("-1E+3", -1000.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("!!float 1e-4", 1e-4),
        ("-.inf", -math.inf),
        ("015", 15),
        ("1_000", 1000),
        ("0x10", 16),
        ("-3", -3),
        ("1:30", "1:30"),
        ("2026-11-21", "2026-11-21"),
        ("1.2.3", "1.2.3"),
        ("e5", "e5"),
        ("yes", True),
        ("~", None),
        ("", None),
        ("[1, 2e-1]", [1, 0.2]),
        ("'2e-4'", "2e-4"),
    ],
)
def test_values_follow_yaml_1_2(text, value):
    result = parse_value(text)
    assert result == value
    assert type(result) is type(value)


def test_plain_pyyaml_reads_these_numbers_wrongly():
    """The defect that the loader repairs."""
    assert yaml.safe_load("{lr: 2e-4, n: 015}") == {"lr": "2e-4", "n": 13}


def test_every_line_is_known(tmp_path):
    path = tmp_path / "a.yml"
    path.write_text("a: 1\nb:\n  c: 2\n  d: {e: 3}\n")
    lines = load_file(path).lines
    assert lines == {("a",): 1, ("b",): 2, ("b", "c"): 3, ("b", "d"): 4, ("b", "d", "e"): 4}


def test_keys_given_twice_are_told_with_both_lines(tmp_path):
    path = tmp_path / "a.yml"
    path.write_text("a: 1\nb:\n  c: 2\n  c: 3\na: 4\n")
    with pytest.raises(OptionError) as error:
        load_file(path)
    assert f"{path}:4: b:c: given twice; the first is in line 3" in str(error.value)
    assert f"{path}:5: a: given twice; the first is in line 1" in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [1, 2", "not YAML"),
        (b"a: b: c", "a.yml:1: not YAML: mapping values are not allowed here"),
        (b"- 1\n- 2", "expected keys and values"),
        (b"", "expected keys and values"),
        (b"a: !!python/object:os.system x", "could not determine a constructor"),
        (b"a: \xff\xfe", "UTF-8"),
    ],
)
def test_files_that_are_no_option_files_are_refused(tmp_path, content, message):
    path = tmp_path / "a.yml"
    path.write_bytes(content)
    with pytest.raises(OptionError, match=message):
        load_file(path)


def test_a_missing_file_suggests_its_neighbour(tmp_path):
    (tmp_path / "SemanIR_color.yml").write_text("a: 1")
    with pytest.raises(OptionError, match=r"did you mean 'SemanIR_color\.yml'"):
        load_file(tmp_path / "SemanIR_colour.yml")
    with pytest.raises(OptionError, match="does not exist either"):
        load_file(tmp_path / "nowhere" / "a.yml")
    with pytest.raises(OptionError, match="is a folder"):
        load_file(tmp_path)


def test_what_is_written_reads_back_the_same_here_and_in_basicsr():
    options = {
        "lr": 2e-4,
        "small": 1e-7,
        "big": 1e22,
        "text": ["2e-4", "015", "1:30", "yes", "null", "{}x2", "2026-11-21", "a: b"],
        "depths": (6, 6),
        "none": None,
        "flag": True,
        "nested": {"x": [], "y": {}},
    }
    expected = {**options, "depths": [6, 6]}
    assert parse_value(to_yaml(options)) == expected
    assert yaml.load(to_yaml(options), Loader=yaml.Loader) == expected


def test_shared_values_are_written_out():
    shared = {"type": "disk"}
    assert "&" not in to_yaml({"a": shared, "b": shared})


def test_places_that_an_alias_fills_are_changed_apart(write):
    text = "_base_: []\nvals:\n  a: &a {io: {type: disk}}\n  b: {<<: *a}\nc: *a\n"
    options = resolve(write("x.yml", text), ["vals:a:io:type=lmdb"]).options
    assert options["vals"]["a"] == {"io": {"type": "lmdb"}}
    assert options["vals"]["b"] == options["c"] == {"io": {"type": "disk"}}
