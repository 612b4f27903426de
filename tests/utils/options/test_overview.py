"""The table of all option files."""

from __future__ import annotations

import pytest

from semanir_arch.commands.options import main
from semanir_arch.utils.options import overview, read_header

HEADER = """# Deblurring, of many kinds, NetA. More about it.
# Paper: NetA (arXiv 1234.56789): all values, for 8 GPUs.
# Data: prepare.py GoPro; extract_patches.py --preset gopro
"""
TEST = """name: a
datasets:
  val_1: {name: GoPro, type: T}
  val_2: {name: HIDE, type: T}
val: {protocol: deblur_matlab}
"""
TRAIN = """name: a
datasets:
  train: {name: Crops, type: T}
  val: {name: GoPro, type: T}
"""


@pytest.fixture
def options(tmp_path):
    for kind, text in (("train", TRAIN), ("test", TEST)):
        (tmp_path / kind / "deblurring").mkdir(parents=True)
        (tmp_path / kind / "deblurring" / "a.yml").write_text(HEADER + text)
    (tmp_path / "test" / "without_paper.yml").write_text("# A quick start.\nname: b\n")
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
    (options / "train" / "deblurring" / "a.yml").unlink()
    leaf = options / "test" / "deblurring" / "a.yml"
    leaf.write_text(leaf.read_text().replace("deblur_matlab", "null"))
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
    leaf = options / "test" / "deblurring" / "a.yml"
    leaf.write_text(leaf.read_text().replace(old, new))
    with pytest.raises(ValueError, match=r"a\.yml: expected a title, '# Paper:' and '# Data:'"):
        read_header(leaf)


def test_a_folder_without_leaves_is_told(tmp_path, capsys):
    assert main(["--table", str(tmp_path)]) == 2
    assert "expected option files in" in capsys.readouterr().err
