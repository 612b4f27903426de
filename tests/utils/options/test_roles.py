"""One leaf for a training and its test."""

from __future__ import annotations

import pytest

from semanir_arch.utils.options import OptionError, resolve
from tests.each import each

LEAF = """_base_:
  - ../_base_/runtime/${role}.yml
  - ../_base_/data/d.yml
  - ../_base_/benchmark/small.yml
  - ../_base_/schedule/s.yml
name: n${sigma}
scale: 2
precision: bf16
network_d: {type: D}
vars: {sigma: 25, size: 64, part: "${size}"}
datasets: {train: {sigma: "${sigma}"}}
train: {total_iter: 7}
path: {pretrain_network_g: start.pth, strict_load_g: false}
"""
TEST = """test:
  _base_: [../_base_/benchmark/large.yml]
  vars: {noise: torch}
  val: {protocol: denoise_gray}
"""
FRAGMENTS = {
    "runtime/train": "path: {pretrain_network_g: null}\nlogger: {use_tb_logger: true}\n"
    "val: {save_img: false}",
    "runtime/test": "path: {pretrain_network_g: '${name}.pth', param_key_g: params}\n"
    "val: {save_img: true}",
    "data/d": "datasets: {train: {size: '${size}', crop: '${part}'}}",
    "benchmark/small": "datasets: {val_A: {sigma: '${sigma}'}}\nval: {protocol: denoise_rgb}",
    "benchmark/large": "vars: {noise: numpy}\n"
    "datasets: {val_B: {sigma: '${sigma}', noise: '${noise}'}}\nval: {protocol: denoise_rgb}",
    "schedule/s": "train: {optim_g: {type: Adam}}\nval: {val_freq: 9}\nlogger: {print_freq: 3}",
}


@pytest.fixture
def leaf(write):
    """Writes a leaf with its fragments."""
    for name, text in FRAGMENTS.items():
        write(f"_base_/{name}.yml", text)
    return lambda text=LEAF + TEST: write("task/x.yml", text)


def test_a_training_reads_all_but_the_block_for_tests(leaf):
    assert resolve(leaf()).options == {
        "name": "n25",
        "scale": 2,
        "precision": "bf16",
        "network_d": {"type": "D"},
        "datasets": {"train": {"size": 64, "crop": 64, "sigma": 25}, "val_A": {"sigma": 25}},
        "train": {"optim_g": {"type": "Adam"}, "total_iter": 7},
        "path": {"pretrain_network_g": "start.pth", "strict_load_g": False},
        "logger": {"use_tb_logger": True, "print_freq": 3},
        "val": {"save_img": False, "protocol": "denoise_rgb", "val_freq": 9},
    }


def test_a_test_reads_its_own_fragments_and_nothing_of_the_training(leaf):
    assert resolve(leaf(), role="test").options == {
        "name": "n25",
        "scale": 2,
        "datasets": {"val_B": {"sigma": 25, "noise": "torch"}},
        "path": {"pretrain_network_g": "n25.pth", "param_key_g": "params"},
        "val": {"save_img": True, "protocol": "denoise_gray"},
    }


def test_without_a_block_a_test_evaluates_as_the_training_does(leaf):
    options = resolve(leaf(LEAF), role="test").options
    assert options["datasets"] == {"val_A": {"sigma": 25}}
    assert options["val"] == {"save_img": True, "protocol": "denoise_rgb"}
    assert options["path"]["pretrain_network_g"] == "n25.pth"


def test_a_file_with_a_test_alone_keeps_where_its_weights_are(leaf):
    path = leaf("_base_: [../_base_/benchmark/small.yml]\nvars: {sigma: 5}\npath: {a: w.pth}\n")
    assert resolve(path, role="test").options["path"] == {"a": "w.pth"}


def test_the_command_line_changes_what_the_role_reads(leaf):
    path = leaf()
    changed = ["vars:sigma=50", "vars:noise=b", "path:pretrain_network_g=w.pth", "precision=fp16"]
    options = resolve(path, changed, "test").options
    assert options["datasets"] == {"val_B": {"sigma": 50, "noise": "b"}}
    assert (options["path"]["pretrain_network_g"], options["precision"]) == ("w.pth", "fp16")
    with pytest.raises(OptionError, match=r"vars:noise: nothing refers to"):
        resolve(path, ["vars:noise=b"], "train")
    # a variable of the training alone would change nothing
    with pytest.raises(OptionError, match=r"vars:size: nothing refers to"):
        resolve(path, ["vars:size=32"], "test")


def test_a_variable_that_nothing_uses_is_told_in_both_roles(leaf):
    path = leaf(LEAF.replace("sigma: 25,", "sigma: 25, sgima: 5,") + TEST)
    for role in ("train", "test"):
        with pytest.raises(OptionError, match=r"vars:sgima: nothing refers to"):
            resolve(path, role=role)


def test_origins_are_the_lines_of_the_block(leaf):
    merged = resolve(leaf(), role="test").merged
    assert merged.origin(("val", "protocol")) == "task/x.yml:17"
    assert merged.origin(("datasets", "val_B")) == "_base_/benchmark/large.yml:2"


@each("role", ["train", "test"])
@each(
    "block, message",
    [
        ("test: 3", r"x\.yml:14: test: expected what only tests read"),
        ("test: {train: {k: 1}}", r"x\.yml:14: test:train: only a training reads this"),
        ("test: {val: {val_freq: 1}}", r"test:val:val_freq: only a training reads this"),
        ("test: {datasets: {train: {}}}", r"test:datasets:train: only a training reads this"),
        ("test: {precision: fp16, network_d: {}}", r"test:precision: .*\n.*test:network_d"),
        ("test: {test: {}}", r"test:test: only a training reads this"),
        ("test: {_base_: x.yml}", r"x\.yml:14: test:_base_: expected a list of files"),
        ("test:\n  _base_: [no.yml]", r"x\.yml:15: test:_base_: no such file: no\.yml"),
    ],
)
def test_faults_of_the_block_are_told_before_the_training(leaf, role, block, message):
    with pytest.raises(OptionError, match=message):
        resolve(leaf(LEAF + block), role=role)


def test_a_fragment_may_have_a_block_for_tests(leaf, write):
    small = (
        "datasets: {val_B: null, val_A: {sigma: '${sigma}', size: 8}}\n"
        "val: {protocol: denoise_rgb}\ntest:\n  vars: {noise: numpy}\n"
        "  datasets: {val_A: {noise: '${noise}'}, val_B: {sigma: 1}, val_C: {sigma: 2}}\n"
    )
    write("_base_/benchmark/small.yml", small)
    path = leaf(LEAF + "test: {datasets: {val_C: {sigma: 3}}}")
    assert resolve(path).options["datasets"] == {
        "train": {"size": 64, "crop": 64, "sigma": 25},
        "val_A": {"sigma": 25, "size": 8},
    }
    test = resolve(path, role="test")
    # in the order of the file; the leaf's block comes last
    assert [*test.options["datasets"].items()] == [
        ("val_B", {"sigma": 1}),
        ("val_A", {"sigma": 25, "size": 8, "noise": "numpy"}),
        ("val_C", {"sigma": 3}),
    ]
    assert test.merged.origin(("datasets", "val_B", "sigma")) == "_base_/benchmark/small.yml:5"


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("{train: {k: 1}}", r"small\.yml:1: test:train: only a training reads this"),
        ("{_base_: [x.yml]}", r"small\.yml:1: test:_base_: a fragment cannot inherit"),
    ],
)
@pytest.mark.parametrize("role", ["train", "test"])
def test_faults_of_a_fragments_block_are_told_in_both_roles(leaf, write, role, block, message):
    write("_base_/benchmark/small.yml", f"test: {block}")
    with pytest.raises(OptionError, match=message):
        resolve(leaf(LEAF), role=role)


def test_a_test_alone_takes_what_a_fragment_for_trainings_says_of_it(leaf, write):
    write("_base_/data/d.yml", "datasets: {train: {a: 1}, val_A: {b: '${c}'}}")
    path = leaf("_base_: [../_base_/data/d.yml]\nvars: {c: 5}\npath: {a: w.pth}\nname: n\n")
    expected = {"name": "n", "datasets": {"val_A": {"b": 5}}, "path": {"a": "w.pth"}}
    assert resolve(path, role="test").options == expected


def test_a_plain_file_is_used_as_it_is_in_both_roles(write):
    path = write("x.yml", "name: a\ntrain: {k: 1}\npath: {b: c}\n")
    assert resolve(path, role="test").options == resolve(path).options
    assert "train" in resolve(path).options


@pytest.mark.parametrize("folder", ["train", "test"])
def test_a_leaf_is_found_by_its_former_name(leaf, folder):
    path = leaf()
    former = path.parents[1] / folder / "task" / "x.yml"
    assert resolve(former).options == resolve(path).options


def test_a_leaf_of_the_former_layout_is_read_as_it_was(leaf, write):
    leaf()
    base = "_base_: [../../_base_/runtime/test.yml, ../../_base_/benchmark/small.yml]\n"
    path = write("test/task/own.yml", base + "name: o\nvars: {sigma: 1}\npath: {strict: false}\n")
    assert resolve(path, role="test").options == {
        "name": "o",
        "datasets": {"val_A": {"sigma": 1}},
        "path": {"pretrain_network_g": "o.pth", "param_key_g": "params", "strict": False},
        "val": {"save_img": True, "protocol": "denoise_rgb"},
    }
