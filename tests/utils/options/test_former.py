"""Option files may list fragments of earlier layouts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from semanir_arch.utils.options import OptionError, former, resolve
from semanir_arch.utils.shipped import shipped_folder

CONTENT = json.loads(Path(__file__).with_name("former_fragments.json").read_text())
"""What was written in each fragment, by its place below `_base_`."""


def test_every_former_fragment_has_its_content_and_order_of_data_sets():
    options = shipped_folder("options")
    assert set(CONTENT) == set(former.FORMER)
    wrong = {}
    for name, content in CONTENT.items():
        place = options / "_base_" / f"{name}.yml"
        if place.exists():
            wrong[name] = "is there, so nobody reads what it was"
            continue
        found = former.read_former(place, former.FORMER[name]).data
        variables = found.pop("vars", {})
        own = content.pop("vars", {})
        # what a variable of the present fragment says, the former one had written out
        found = fill(found, {k: value for k, value in variables.items() if k not in own})
        if json.dumps(found, sort_keys=True) != json.dumps(content, sort_keys=True):
            wrong[name] = found
        elif [*found.get("datasets", {})] != [*content.get("datasets", {})]:
            wrong[name] = [*found["datasets"]]
        elif {k: variables.get(k) for k in own} != own:
            wrong[name] = variables
    assert not wrong


def fill(node, values):
    """Options with some variables filled in."""
    if isinstance(node, dict):
        return {key: fill(value, values) for key, value in node.items()}
    if isinstance(node, list):
        return [fill(value, values) for value in node]
    if not isinstance(node, str):
        return node
    for name, value in values.items():
        if node == f"${{{name}}}":
            return value
        node = node.replace(f"${{{name}}}", str(value))
    return node


@pytest.fixture
def leaf(tmp_path, monkeypatch):
    """Writes a user's file of the former layout, in a folder with the present fragments."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(former, "_told", set())
    (tmp_path / "options" / "mine").mkdir(parents=True)
    (tmp_path / "options" / "_base_").symlink_to(shipped_folder("options") / "_base_")
    path = Path("options/mine/x.yml")

    def write(*listed, tests=()):
        base = "".join(f"  - ../_base_/{name}.yml\n" for name in listed)
        text = f"_base_:\n{base}name: x\nvars: {{channels: 1, sigma: 25, protocol: denoise_gray}}\n"
        if tests:
            text += "test:\n  _base_:\n" + "".join(f"    - ../_base_/{n}.yml\n" for n in tests)
        path.write_text(text)
        return path

    return write


def test_they_are_told_once_and_a_test_replaces_those_of_its_folder(leaf, capsys):
    path = leaf("data/packed_noise", "benchmark/cid22_noise", tests=["testsets/denoising_gray"])
    for _ in range(2):
        training, test = resolve(path), resolve(path, role="test")
    told = capsys.readouterr().err.splitlines()
    assert [line.split()[1] for line in told] == [
        "_base_/data/packed_noise.yml",
        "_base_/benchmark/cid22_noise.yml",
    ]
    assert [*training.options["datasets"]] == ["train", "val_15", "val_25", "val_50"]
    assert training.options["val"]["protocol"] == "denoise_gray"
    assert [*test.options["datasets"]] == ["val_Set12", "val_BSD68", "val_Urban100"]


def test_a_fragment_that_never_was_is_told_as_missing(leaf):
    with pytest.raises(OptionError, match=r"no such file: .*benchmark/cid23\.yml"):
        resolve(leaf("benchmark/cid23"))
