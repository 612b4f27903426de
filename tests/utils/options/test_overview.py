"""The table of all option files."""

from __future__ import annotations

import pytest

from semanir_arch.commands.options import main
from semanir_arch.utils.options import overview, read_header

HEADER = """# Deblurring, of many kinds, NetA. More about it.
# Paper: NetA (arXiv 1234.56789): all values, for 8 GPUs.
# Data: prepare.py GoPro; extract_patches.py --preset gopro
"""
LEAF = """_base_: [../_base_/data/crops.yml, ../_base_/benchmark/centres.yml]
name: a
train: {total_iter: 5}
test:
  _base_: [../_base_/benchmark/sets.yml]
"""
FRAGMENTS = {
    "data/crops.yml": "datasets: {train: {name: Crops, type: T}}",
    "benchmark/centres.yml": "datasets: {val: {name: centres, type: T}}",
    "benchmark/sets.yml": "datasets: {val_1: {name: GoPro, type: T}, val_2: {name: HIDE, type: T}}"
    "\nval: {protocol: deblur_matlab}",
}


@pytest.fixture
def options(tmp_path):
    files = {
        "deblurring/a.yml": HEADER + LEAF,
        "quickstart/without_paper.yml": "# A quick start.\nname: b\n",
        **{f"_base_/{name}": text for name, text in FRAGMENTS.items()},
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_row_says_what_is_trained_on_what_and_how_it_is_measured(options, capsys):
    assert main(["--table", str(options)]) == 0
    printed = capsys.readouterr().out
    assert printed == overview(options)
    head, _, *rows = printed.splitlines()
    assert head.startswith("| task | network | file | trained on |")
    assert rows == [
        "| Deblurring, of many kinds | NetA | `deblurring/a` | Crops | GoPro, HIDE | "
        "`deblur_matlab` | [1234.56789](https://arxiv.org/abs/1234.56789): all values, for 8 GPUs |"
    ]


def test_what_only_tests_and_what_a_server_scores_have_a_row_too(options):
    base = "_base_: [../_base_/benchmark/sets.yml]\nname: a\n"
    (options / "deblurring" / "a.yml").write_text(HEADER + base)
    sets = options / "_base_" / "benchmark" / "sets.yml"
    sets.write_text(sets.read_text().replace("deblur_matlab", "null"))
    assert "| `deblurring/a` | - | GoPro, HIDE | its server's |" in overview(options)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Deblurring, of many kinds, NetA.", "Deblurring by NetA."),
        ("arXiv 1234.56789", "2021"),
        ("# Data:", "# Images:"),
    ],
)
def test_a_header_of_another_form_is_refused_with_the_name_of_the_file(options, old, new):
    leaf = options / "deblurring" / "a.yml"
    leaf.write_text(leaf.read_text().replace(old, new))
    with pytest.raises(ValueError, match=r"a\.yml: expected a title, '# Paper:' and '# Data:'"):
        read_header(leaf)


def test_a_folder_without_leaves_is_told(tmp_path, capsys):
    assert main(["--table", str(tmp_path)]) == 2
    assert "expected option files in" in capsys.readouterr().err
