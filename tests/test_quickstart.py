"""The main job through the real scripts: patches, interrupted training, test, restored photo."""

from __future__ import annotations

import json
import os
import runpy
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from semanir_arch.commands import quickstart
from semanir_arch.data.files.image_io import load_image
from tests.helpers import ROOT
from tests.tiny_quickstart import NETWORK, TRAINING, write_photographs
from tests.training.trainings import WARM

pytestmark = pytest.mark.slow

NAME = "SemanIR_tiny_denoising"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where everything is written, with four small photographs in `photos`."""
    folder = tmp_path_factory.mktemp("quickstart")
    write_photographs(folder / "photos")
    return folder


def run(folder, script, *arguments):
    """Run a script in a process of its own, and return what it has printed."""
    done = subprocess.run(
        [sys.executable, str(ROOT / script), *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@dataclass
class Training:
    """A run of train.py whose process has torch and BasicSR imported already."""

    process: Any
    output: Path

    def finish(self):
        """Exit code, and what it has printed."""
        self.process.join(6000)
        return self.process.exitcode, self.output.read_text()


def train_in(folder, output, arguments):
    os.chdir(folder)
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    sys.argv = ["train.py", *arguments]
    runpy.run_path(str(ROOT / "train.py"), run_name="__main__")


def start_training(folder, total_iter):
    leaf = ROOT / "options" / "quickstart" / f"{NAME}.yml"
    length = (f"train:total_iter={total_iter}", f"train:scheduler:periods=[{total_iter}]")
    words = ["-opt", str(leaf), "--auto_resume", "--force_yml", *NETWORK, *TRAINING, *length]
    output = folder / "printed.txt"
    process = WARM.Process(target=train_in, args=(folder, output, words))
    process.start()
    return Training(process, output)


def finish_training(folder, total_iter):
    code, printed = start_training(folder, total_iter).finish()
    assert code == 0, printed
    return printed


def newest_state(folder):
    states = (folder / "experiments" / NAME / "training_states").glob("*.state")
    return max((int(state.stem) for state in states), default=0)


@pytest.fixture(scope="module")
def patches(folder):
    run(
        folder,
        "datasets_prep/extract_patches.py",
        *("--input", "photos", "--output", "datasets/quickstart/train", "--size", "32"),
        *("--step", "16", "--holdout", "chelsea", "coffee"),
        *("--holdout-output", "datasets/quickstart/test"),
    )
    return folder / "datasets" / "quickstart"


@pytest.fixture(scope="module")
def interrupted(folder, patches):
    """The iteration that is saved after Ctrl-C, and what the interrupted training printed."""
    training = start_training(folder, total_iter=100_000)
    deadline = time.monotonic() + 600
    while newest_state(folder) == 0 and training.process.is_alive():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(training.process.pid, signal.SIGINT)
    code, printed = training.finish()
    assert code == 130, printed
    return newest_state(folder), printed


@pytest.fixture(scope="module")
def trained(folder, interrupted):
    """The last iteration, and what the continued training printed."""
    saved, _ = interrupted
    total_iter = saved + 10
    return total_iter, finish_training(folder, total_iter)


def test_held_out_photographs_are_in_no_patch(patches):
    held_out = {path.stem for path in (patches / "test").iterdir() if path.suffix == ".png"}
    assert held_out == {"chelsea", "coffee"}
    trained_on = [path.name for path in (patches / "train").rglob("*.png")]
    assert len(trained_on) > 4
    assert not any(name.startswith(("chelsea", "coffee")) for name in trained_on)


def test_an_interrupted_training_says_how_to_continue(interrupted):
    saved, printed = interrupted
    assert saved >= 5
    assert f"iteration {saved} is saved. Continue with: " in printed


def test_the_same_command_continues_where_it_was_interrupted(folder, interrupted, trained):
    saved, _ = interrupted
    total_iter, printed = trained
    assert f"iter: {saved}." in printed
    assert newest_state(folder) == total_iter
    assert (folder / "experiments" / NAME / "models" / "net_g_latest.pth").is_file()


def test_a_finished_training_is_not_repeated(folder, trained):
    total_iter, _ = trained
    weights = folder / "experiments" / NAME / "models" / f"net_g_{total_iter}.pth"
    before = weights.stat().st_mtime_ns
    finish_training(folder, total_iter)
    assert newest_state(folder) == total_iter
    assert weights.stat().st_mtime_ns == before
    assert [path.name for path in (folder / "experiments").iterdir()] == [NAME]


def test_the_test_prints_and_writes_a_table_of_noisy_and_restored(folder, trained):
    leaf = ROOT / "options" / "quickstart" / f"{NAME}.yml"
    printed = run(folder, "test.py", "-opt", leaf, "--force_yml", *NETWORK)
    (report,) = (folder / "results").rglob("report.json")
    assert report.with_suffix(".md").is_file()
    assert report.with_suffix(".csv").is_file()
    assert json.loads(report.read_text())
    for word in ("chelsea", "coffee", "mean", "PSNR", "SSIM"):
        assert word.lower() in printed.lower()


def test_a_noisy_photo_is_restored_with_a_picture(folder, trained):
    run(
        folder,
        "datasets_prep/generate_lq.py",
        *("--damage", "gaussian", "--sigma", "25", "--seed", "0"),
        *("datasets/quickstart/test/chelsea.png", "datasets/quickstart/noisy/chelsea.png"),
    )
    weights = folder / "experiments" / NAME / "models" / "net_g_latest.pth"
    printed = run(
        folder,
        "semanir_arch/commands/restore.py",
        *("datasets/quickstart/noisy/chelsea.png", "-o", "results/quickstart"),
        *("--weights", weights, "--compare", "--device", "cpu"),
    )
    noisy = load_image(folder / "datasets" / "quickstart" / "noisy" / "chelsea.png").pixels
    restored = load_image(folder / "results" / "quickstart" / "chelsea.png").pixels
    assert restored.shape == noisy.shape
    assert not np.array_equal(restored, noisy)
    picture = Path(printed.split("before and after: ")[1].splitlines()[0])
    assert (folder / picture).is_file()


def test_the_command_runs_these_steps_in_this_order(monkeypatch, capsys):
    """Everything above runs the steps themselves; here only what the command would start."""
    ran = []

    def run(command, check):
        assert not check
        ran.append(command[3:])
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(quickstart.subprocess, "run", run)
    assert quickstart.main(["--force_yml", "train:total_iter=5", "network_g:k=8"]) == 0
    assert [command[:2] for command in ran] == [
        ["data", "patches"],
        ["train", "-opt"],
        ["test", "-opt"],
        ["data", "degrade"],
        ["restore", "datasets/quickstart/noisy/chelsea.png"],
    ]
    assert ran[1][-3:] == ["--force_yml", "train:total_iter=5", "network_g:k=8"]
    assert ran[2][-2:] == ["--force_yml", "network_g:k=8"]
    assert f"results/{NAME}/report.md" in capsys.readouterr().out


def test_a_step_that_fails_ends_the_command_with_its_code(monkeypatch, capsys):
    monkeypatch.setattr(
        quickstart.subprocess, "run", lambda command, check: subprocess.CompletedProcess(command, 7)
    )
    assert quickstart.main([]) == 7
    assert "step 1 ended with exit code 7" in capsys.readouterr().out


def test_without_basicsr_it_says_what_to_type(monkeypatch, capsys):
    monkeypatch.setattr(quickstart, "find_spec", lambda _: None)
    assert quickstart.main([]) == 2
    assert "semanir_arch.doctor --repair" in capsys.readouterr().err
