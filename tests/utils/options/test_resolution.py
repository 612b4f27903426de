"""References, overrides and names."""

from __future__ import annotations

import pytest

from semanir_arch.utils.options import OptionError, derive_name, resolve
from semanir_arch.utils.options.resolution import derive_set_name
from tests.each import each


@pytest.fixture
def leaf(write):
    write("a.yml", "data: {sigma: '${sigma}', text: 'x${scale}_${sigma}', deep: ['${scale}']}\n")
    return write("x.yml", "_base_: [a.yml]\nname: n${sigma}\nscale: 2\nvars: {sigma: 25}\n")


def test_a_reference_alone_keeps_its_type(leaf):
    options = resolve(leaf).options
    assert options["data"] == {"sigma": 25, "text": "x2_25", "deep": [2]}
    assert options["name"] == "n25"
    assert "vars" not in options


def test_overrides_come_before_references(leaf):
    options = resolve(leaf, ["vars:sigma=[15, 50]", "scale=4"]).options
    assert options["data"] == {"sigma": [15, 50], "text": "x4_15-50", "deep": [4]}
    assert options["name"] == "n15-50"


def test_a_dataset_set_to_null_is_left_out(write):
    write("a.yml", "datasets: {val_A: {name: A}, val_B: {name: B}}\n")
    leaf = write("x.yml", "_base_: [a.yml]\n")
    assert resolve(leaf, ["datasets:val_B=null"]).options["datasets"] == {"val_A": {"name": "A"}}


def test_overrides_are_yaml_and_say_where_they_come_from(leaf):
    resolved = resolve(leaf, ["data:sigma=2e-4", "new:block:key=null"])
    assert resolved.options["data"]["sigma"] == 2e-4
    assert resolved.options["new"] == {"block": {"key": None}}
    assert resolved.merged.origin(("data", "sigma")) == "command line"
    assert resolved.overridden == [("data", "sigma"), ("new", "block", "key")]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("scale", "expected key:key=value, received 'scale'"),
        ("a::b=1", "expected key:key=value"),
        ("scale:x=1", "scale:x: scale is 2, which has no keys"),
        ("scale=[1", "is not a YAML value"),
        ("vars:sgima=1", r"nothing refers to \$\{sgima\}; did you mean 'sigma'"),
    ],
)
def test_wrong_overrides_are_refused(leaf, entry, message):
    with pytest.raises(OptionError, match=message):
        resolve(leaf, [entry])


def test_an_override_may_replace_the_only_use_of_a_variable(write):
    write("a.yml", "data: {size: '${size}'}")
    leaf = write("x.yml", "_base_: [a.yml]\nvars: {size: 128}")
    assert resolve(leaf, ["data:size=16"]).options["data"] == {"size": 16}


def test_an_undefined_reference_names_file_key_and_nearest(write):
    write("a.yml", "one: 1\ndata:\n  sigma: ${sgima}\n")
    leaf = write("x.yml", "_base_: [a.yml]\nvars: {sigma: 25}\nother: ${sigma}")
    with pytest.raises(OptionError, match=r"a\.yml:3: data:sigma: .*sgima.* did you mean 'sigma'"):
        resolve(leaf)


def test_references_in_a_circle_are_refused(write):
    write("a.yml", "a: ${b}\nb: ${a}\n")
    with pytest.raises(OptionError, match="refers to itself"):
        resolve(write("x.yml", "_base_: [a.yml]"))


def test_a_variable_must_not_hide_an_option(write):
    write("a.yml", "scale: 2\n")
    with pytest.raises(OptionError, match=r"vars:scale: a\.yml:1 sets scale as well"):
        resolve(write("x.yml", "_base_: [a.yml]\nvars: {scale: 3}"))


def test_plain_files_keep_dollar_signs_and_get_no_name(write):
    resolved = resolve(write("x.yml", "path: ${HOME}/data\nlr: 2e-4\n"))
    assert resolved.options == {"path": "${HOME}/data", "lr": 2e-4}
    assert not resolved.inherits


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("options/train/denoising/SemanIR_color.yml", "denoising_SemanIR_color"),
        ("options/test/denoising/SemanIR_color.yml", "denoising_SemanIR_color"),
        ("options/train/x.yml", "x"),
        ("options/denoising/SemanIR_color.yml", "denoising_SemanIR_color"),
        ("somewhere/else/x.yml", "x"),
    ],
)
def test_names_come_from_the_path(tmp_path, path, name):
    (tmp_path / "options" / "_base_").mkdir(parents=True)
    assert derive_name(tmp_path / path) == name


def test_a_folder_called_options_without_fragments_gives_no_name(tmp_path):
    assert derive_name(tmp_path / "options" / "mine" / "x.yml") == "x"


@each(
    "roots, name",
    [
        ({"dataroot_gt": "datasets/photos/test"}, "photos_test"),
        ({"dataroot_gt": "/data/datasets/photos/train.lmdb"}, "photos_train"),
        ({"dataroot_gt": "/home/me/pictures/2026/trip/"}, "2026_trip"),
        ({"dataroot_gt": "~/trip"}, "trip"),
        ({"dataroot_gt": "../trip"}, "trip"),
        ({"dataroot_gt": "datasets"}, "datasets"),
        ({"dataroot_gt": "datasets/p/target", "dataroot_lq": "datasets/p/input"}, "p"),
        ({"dataroot_gt": ["datasets/a", "b", "c"]}, "a_and_2_more"),
        ({"dataroot_gt": "/here/a", "dataroot_lq": "b"}, "here_a"),
        ({"dataroot_gt": "."}, None),
        ({"dataroot_gt": 5}, None),
        ({"dataroot_gt": []}, None),
        ({}, None),
    ],
)
def test_a_data_set_is_named_after_its_folder(roots, name):
    assert derive_set_name(roots) == name


def test_only_a_data_set_without_a_name_gets_one_after_overrides_too(write):
    text = "_base_: []\ndatasets:\n  train: {dataroot_gt: a/b}\n  val: {name: v, dataroot_gt: c/d}"
    leaf = write("x.yml", text)
    blocks = resolve(leaf, ["datasets:train:dataroot_gt=datasets/mine"]).options["datasets"]
    assert {key: block["name"] for key, block in blocks.items()} == {"train": "mine", "val": "v"}
    plain = resolve(write("plain.yml", text.partition("\n")[2])).options["datasets"]
    assert "name" not in plain["train"]
