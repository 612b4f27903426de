"""Result files hold every number and what is needed to repeat it."""

from __future__ import annotations

import csv
import json
import math

import pytest

from semanir_arch.metrics.scores import Evaluation, Row
from semanir_arch.report.measurement import Measurement, Subject
from semanir_arch.report.summary import Missing, Report
from semanir_arch.report.writing import write_report

NET = Subject("SemanIR", 123_456, "net_g_latest.pth", "c0ffee" * 10, "BasicSR's layout", k=64)

MEASUREMENTS = [
    Measurement(
        Evaluation("A", "denoise_rgb", [Row("a", {"psnr": 20.0}, {"psnr": math.inf}, 0.5, 2**30)]),
        NET,
    ),
    Measurement(
        Evaluation(
            "B", "sr_y", [Row("b", {}, {"psnr": 30.123456789, "ssim": 0.9}, 1.5, 2**21, tile=128)]
        ),
        NET,
        reused=1,
    ),
]

REPORT = Report(
    name="run",
    command="python test.py -opt x.yml",
    measurements=MEASUREMENTS,
    missing=[
        Missing("C", "sigma=15", "no such folder"),
        Missing("C", "sigma=25", "no such folder"),
    ],
    options={"name": "run", "scale": 2},
    commit=None,
    seconds=12.5,
)


@pytest.fixture
def folder(tmp_path):
    write_report(tmp_path, REPORT)
    return tmp_path


def test_the_three_files_are_written(folder):
    assert {path.name for path in folder.iterdir()} == {"report.md", "report.csv", "report.json"}


def test_json_holds_numbers_protocol_weights_versions_and_options(folder):
    report = json.loads((folder / "report.json").read_text())
    assert report["checkpoint"] == "net_g_latest.pth"
    assert report["commit"] is None
    assert report["command"] == "python test.py -opt x.yml"
    assert report["options"] == {"name": "run", "scale": 2}
    assert {"semanir_arch", "torch"} <= report["versions"].keys()
    assert report["memory"] == 2**30
    assert report["missing"][0] == {
        "dataset": "C",
        "setting": "sigma=15",
        "reason": "no such folder",
    }
    first, second = report["datasets"]
    assert first["images"] == [
        {
            "image": "a",
            "input": {"psnr": 20.0},
            "output": {"psnr": "inf"},
            "seconds": 0.5,
            "tile": None,
        }
    ]
    assert first["mean"]["PSNR out"] == "inf"
    assert first["sha256"] == NET.sha256
    assert second["mean"] == {"PSNR out": 30.123456789, "SSIM out": 0.9}
    assert (second["protocol"], second["reused"], second["k"]) == ("sr_y", 1, 64)


def test_csv_has_a_line_per_image_in_full_precision(folder):
    lines = list(csv.DictReader((folder / "report.csv").open()))
    assert [line["image"] for line in lines] == ["a", "b"]
    assert lines[1]["PSNR out"] == "30.123456789"
    assert lines[1]["PSNR in"] == ""
    assert lines[1]["seconds"] == "1.5"


def test_markdown_starts_with_the_facts(folder):
    text = (folder / "report.md").read_text()
    assert text.startswith("# run\n")
    for fact in (
        "- command: python test.py -opt x.yml",
        "- weights: net_g_latest.pth (sha256 c0ffeec0ffeec0ff...)",
        "- network: SemanIR, 123,456 parameters",
        "- protocol: denoise_rgb; sr_y",
        "- tiles: 1 of 2 images, 128 pixels",
        "- images: 2, 1 of them measured before",
        "- time: 2.0 s for restoring, median 1 s per image; this run took 12.5 s",
        "- peak memory: 1,024 MiB",
        "- commit: unknown",
        "**Data set C is missing (sigma=15, sigma=25): no such folder.**",
        "## B (protocol: sr_y)",
    ):
        assert fact in text, fact


def test_sets_of_many_images_are_listed_in_the_other_files(tmp_path):
    rows = [Row(f"image{i}", {}, {"psnr": 30.0}) for i in range(200)]
    write_report(
        tmp_path,
        Report("run", "test", [Measurement(Evaluation("A", "deblur_matlab", rows), NET)]),
    )
    text = (tmp_path / "report.md").read_text()
    assert "image150" not in text
    assert "| **mean** | **30.00** |" in text
    assert "200 images; each is in report.csv." in text
    assert "image150" in (tmp_path / "report.csv").read_text()
    assert "- peak memory: unknown" in text


def test_images_without_targets_have_no_scores_but_are_listed(tmp_path):
    evaluation = Evaluation("real", None, [Row("a", {}, {}, 0.5)])
    write_report(tmp_path, Report("run", "test", [Measurement(evaluation, NET)]))
    assert (tmp_path / "report.csv").read_text().splitlines()[1] == "real,,a,0.5"
    assert "| a |" in (tmp_path / "report.md").read_text()
