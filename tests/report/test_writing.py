"""Result files hold every number and what is needed to repeat it."""

from __future__ import annotations

import csv
import json
import math

import pytest

from semanir_arch.models.evaluation import Evaluation, Row
from semanir_arch.report.writing import describe_run, write_report

OPTIONS = {"name": "run", "path": {"pretrain_network_g": "net_g_latest.pth"}, "scale": 2}


@pytest.fixture
def folder(tmp_path):
    first = Evaluation("A", "denoise_rgb", [Row("a", {"psnr": 20.0}, {"psnr": math.inf})])
    second = Evaluation("B", "sr_y", [Row("b", {}, {"psnr": 30.123456789, "ssim": 0.9})])
    write_report(tmp_path, [first, second], describe_run(OPTIONS))
    return tmp_path


def test_the_three_files_are_written(folder):
    assert {path.name for path in folder.iterdir()} == {"report.md", "report.csv", "report.json"}


def test_json_holds_numbers_protocol_weights_versions_and_options(folder):
    report = json.loads((folder / "report.json").read_text())
    assert report["checkpoint"] == "net_g_latest.pth"
    assert report["options"] == OPTIONS
    assert {"semanir_arch", "torch"} <= report["versions"].keys()
    first, second = report["datasets"]
    assert first["images"] == [{"image": "a", "input": {"psnr": 20.0}, "output": {"psnr": "inf"}}]
    assert first["mean"]["PSNR out"] == "inf"
    assert second["mean"] == {"PSNR out": 30.123456789, "SSIM out": 0.9}
    assert second["protocol"] == "sr_y"


def test_csv_has_a_line_per_image_in_full_precision(folder):
    lines = list(csv.DictReader((folder / "report.csv").open()))
    assert [line["image"] for line in lines] == ["a", "b"]
    assert lines[1]["PSNR out"] == "30.123456789"
    assert lines[1]["PSNR in"] == ""


def test_markdown_starts_with_the_run(folder):
    text = (folder / "report.md").read_text()
    assert text.startswith("# run\n")
    assert "Checkpoint: net_g_latest.pth" in text
