"""Tables say what was measured, how, and what is missing from the mean."""

from __future__ import annotations

import math

from semanir_arch.metrics.metric_names import name_metrics
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
    assert to_text(*tabulate(Evaluation("held-out", "denoise_rgb", ROWS))) == expected


def test_markdown_has_one_row_per_image_and_the_mean():
    text = to_markdown(*tabulate(Evaluation("held-out", "denoise_rgb", ROWS)))
    assert "## held-out (protocol: denoise_rgb)" in text
    assert "| image | PSNR in | PSNR out | SSIM in | SSIM out |" in text
    assert "| **mean** | **20.46** | **30.55** | **0.4206** | **0.9306** |" in text
    assert "1 image is not finite" in text


def test_inputs_of_another_size_have_no_columns():
    rows = [
        Row("a", {}, {"psnr": 30.0, "niqe": 5.0}),
        Row("b", {"psnr": 20.0}, {"psnr": 31.0, "niqe": 4}),
    ]
    (table,) = tabulate(Evaluation("set", None, rows))
    assert table.header == ["image", "PSNR out", "NIQE out"]
    assert table.title == "set (protocol: none)"


def test_no_images_give_an_empty_table():
    (table,) = tabulate(Evaluation("set", "denoise_rgb"))
    assert table.rows == []


def test_other_scores_never_stand_under_the_heading_of_the_protocol():
    metrics = {"PSNR": {"type": "calculate_psnr", "crop_border": 4, "better": "higher"}}
    extras = name_metrics(metrics, "denoise_rgb")
    rows = [Row("a", {"psnr": 20.0, "PSNR_metrics": 25.0}, {"psnr": 30.0, "PSNR_metrics": 35.0})]
    own, other = tabulate(Evaluation("set", "denoise_rgb", rows, extras))
    assert own.title == "set (protocol: denoise_rgb)"
    assert own.header == ["image", "PSNR in", "PSNR out"]
    assert own.rows == [["a", "20.00", "30.00"]]
    assert other.title == "set (val:metrics, not of the protocol)"
    assert other.header == ["image", "PSNR_METRICS in", "PSNR_METRICS out"]
    assert other.rows == [["a", "25.00", "35.00"]]
    assert other.notes == ["PSNR_METRICS: calculate_psnr, crop_border 4."]


def test_what_only_some_images_have_is_not_lost():
    rows = [Row("a", {}, {"niqe": 5.0}), Row("b", {}, {"psnr": 31.0, "niqe": 4.0})]
    (table,) = tabulate(Evaluation("set", None, rows))
    assert table.header == ["image", "NIQE out", "PSNR out"]
    assert table.rows[0] == ["a", "5.0000", "nan"]
    assert table.mean == ["mean", "4.5000", "31.00"]


def test_a_table_without_means_ends_with_its_rows():
    table = Table("t", ["a", "b"], [["x", "1"], ["y", "22"]], [], ["note"])
    assert to_text(table) == "t\na   b\n-----\nx   1\ny  22\nnote"
    assert to_markdown(table).splitlines()[2:6] == [
        "| a | b |",
        "| :-- | --: |",
        "| x | 1 |",
        "| y | 22 |",
    ]
