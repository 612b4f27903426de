"""Tables say what was measured, how, and what is missing from the mean."""

from __future__ import annotations

import math

from semanir_arch.metrics.scores import Evaluation, Row
from semanir_arch.report.table import Table, tabulate, to_markdown, to_text

ROWS = [
    Row("chelsea", {"psnr": 20.414, "ssim": 0.34114}, {"psnr": 30.555, "ssim": 0.86116}),
    Row("cup", {"psnr": 20.5, "ssim": 0.5}, {"psnr": math.inf, "ssim": 1.0}),
]


def test_text_is_aligned_and_names_the_protocol():
    expected = """\
held-out (protocol: denoise_rgb)
image    PSNR in  PSNR out  SSIM in  SSIM out
---------------------------------------------
chelsea    20.41     30.55   0.3411    0.8612
cup        20.50       inf   0.5000    1.0000
---------------------------------------------
mean       20.46     30.55   0.4206    0.9306
PSNR out: 1 image is not finite and left out of the mean."""
    assert to_text(tabulate(Evaluation("held-out", "denoise_rgb", ROWS))) == expected


def test_markdown_has_one_row_per_image_and_the_mean():
    text = to_markdown(tabulate(Evaluation("held-out", "denoise_rgb", ROWS)))
    assert "## held-out (protocol: denoise_rgb)" in text
    assert "| image | PSNR in | PSNR out | SSIM in | SSIM out |" in text
    assert "| **mean** | **20.46** | **30.55** | **0.4206** | **0.9306** |" in text
    assert "1 image is not finite" in text


def test_inputs_of_another_size_have_no_columns():
    rows = [
        Row("a", {}, {"psnr": 30.0, "niqe": 5.0}),
        Row("b", {"psnr": 20.0}, {"psnr": 31.0, "niqe": 4}),
    ]
    table = tabulate(Evaluation("set", None, rows))
    assert table.header == ["image", "PSNR out", "NIQE out"]
    assert table.title == "set (protocol: none)"


def test_no_images_give_an_empty_table():
    assert tabulate(Evaluation("set", "denoise_rgb")).rows == []


def test_a_table_without_means_ends_with_its_rows():
    table = Table("t", ["a", "b"], [["x", "1"], ["y", "22"]], [], ["note"])
    assert to_text(table) == "t\na   b\n-----\nx   1\ny  22\nnote"
    assert to_markdown(table).splitlines()[2:6] == [
        "| a | b |",
        "| :-- | --: |",
        "| x | 1 |",
        "| y | 22 |",
    ]
