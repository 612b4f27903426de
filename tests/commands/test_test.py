"""test.py: the table in the terminal and in results/."""

from __future__ import annotations

import json
import os
import signal
import sys

import pytest

from semanir_arch.commands.test import main
from semanir_arch.models.restoration_model import RestorationModel
from tests.helpers import TINY_UNET, save_weights


@pytest.fixture
def weights(work):
    path = work / "experiments" / "run" / "models" / "net_g_latest.pth"
    path.parent.mkdir(parents=True)
    save_weights(path, TINY_UNET, identity=True)
    return path


def test_a_table_is_printed_and_written(work, weights, capsys):
    assert main(["-opt", "test.yml"]) == 0
    lines = capsys.readouterr().out.splitlines()
    start = lines.index("a (protocol: denoise_rgb)")
    assert lines[start + 1].split() == [
        "image",
        *["PSNR", "in", "PSNR", "out", "SSIM", "in", "SSIM", "out"],
    ]
    mean = lines[start + 6].split()
    assert mean[0] == "mean"
    assert mean[1] == mean[2]
    assert float(mean[1]) == pytest.approx(20.5, abs=1)
    assert lines[-1] == "Written to results/run/report.md, .csv, .json and .html"
    report = json.loads((work / "results" / "run" / "report.json").read_text())
    assert report["checkpoint"] == "experiments/run/models/net_g_latest.pth"
    assert report["options"]["datasets"]["test"]["sigma"] == 25


def test_older_results_are_kept_under_another_name(work, weights):
    assert main(["-opt", "test.yml"]) == 0
    assert main(["-opt", "test.yml", "--fresh"]) == 0
    folders = sorted(path.name for path in (work / "results").iterdir())
    assert folders[0] == "run"
    assert folders[1].startswith("run_archived_")


def test_images_are_written_on_request(work, weights):
    assert main(["-opt", "test.yml", "--force_yml", "val:save_img=true", "val:suffix=x"]) == 0
    written = work / "results" / "run" / "visualization" / "a"
    assert {path.name for path in written.iterdir()} == {"a_x.png", "b_x.png"}


def test_missing_weights_are_told_and_nothing_is_written(work, capsys):
    assert main(["-opt", "test.yml"]) == 2
    assert "no such file: 'experiments/run/models/net_g_latest.pth'" in capsys.readouterr().err
    assert not (work / "results").exists()


def test_weights_of_another_network_are_told_and_nothing_is_written(work, weights, capsys):
    assert main(["-opt", "test.yml", "--force_yml", "network_g:widths=[16]"]) == 2
    assert "saved from SemanIRUNet(widths=[8]" in capsys.readouterr().err
    assert not (work / "results").exists()


@pytest.mark.parametrize("received", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_test_writes_no_table(work, weights, monkeypatch, capsys, received):
    monkeypatch.setattr(sys, "argv", ["test.py"])
    monkeypatch.setattr(RestorationModel, "test", lambda _: os.kill(os.getpid(), received))
    assert main(["-opt", "test.yml"]) == 128 + received
    told = "the scores so far are kept. Continue with: python test.py -opt test.yml"
    assert told in capsys.readouterr().err
    assert not list((work / "results").rglob("report.*"))


def test_a_model_of_basicsr_is_tested_without_a_table(work, weights):
    """Nothing is known of its scores, so that nothing can be continued."""
    text = (work / "test.yml").read_text().replace("RestorationModel", "SRModel")
    text = text.replace("protocol: denoise_rgb", "suffix: null")
    (work / "test.yml").write_text(text)
    assert main(["-opt", "test.yml"]) == 0
    assert not list((work / "results").rglob("report.*"))
    assert main(["-opt", "test.yml"]) == 0
    assert len(list((work / "results").iterdir())) == 2
