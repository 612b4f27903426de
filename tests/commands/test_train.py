"""train.py: what it leaves behind, and what it says when something is wrong."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml

from semanir_arch import host
from semanir_arch.commands.train import main
from semanir_arch.models.restoration_model import RestorationModel
from tests.helpers import TINY_SR, save_weights

ROOT = Path(__file__).parents[2]


def train(*arguments):
    return main(["-opt", "train.yml", *arguments])


def test_a_training_leaves_weights_states_and_its_complete_options(work):
    assert train("--force_yml", "train:optim_g:lr=2e-4") == 0
    experiment = work / "experiments" / "run"
    assert (experiment / "models" / "net_g_latest.pth").is_file()
    assert (experiment / "training_states" / "4.state").is_file()
    options = yaml.safe_load((experiment / "train.yml").read_text())
    assert options["train"]["optim_g"]["lr"] == 2e-4
    # an empty list: the copy is checked like its source
    assert options["_base_"] == []


def test_the_copied_options_train_on_their_own(work):
    assert train() == 0
    copy = work / "copy.yml"
    copy.write_bytes((work / "experiments" / "run" / "train.yml").read_bytes())
    assert main(["-opt", "copy.yml"]) == 0


def test_the_copied_options_are_checked_like_their_source(work, capsys):
    assert train() == 0
    copy = work / "experiments" / "run" / "train.yml"
    capsys.readouterr()
    for old, new in (("print_freq", "print_frq"), ("lr: ", "lrr: "), ("sigma: 25", "sigma: 256")):
        assert old in copy.read_text()
        (work / "copy.yml").write_text(copy.read_text().replace(old, new))
        (work / "source.yml").write_text((work / "train.yml").read_text().replace(old, new))
        told = []
        for name in ("copy.yml", "source.yml"):
            assert main(["-opt", name]) == 2
            error = capsys.readouterr().err
            told.append(re.sub(r"\S+\.yml:\d+: ", "", error))
        assert told[0] == told[1]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train:optim_g:lrr=1", "command line: train:optim_g:lrr: unknown key; did you mean 'lr'"),
        ("datasets:train:sigma=loud", "datasets:train:sigma: received 'loud'"),
        ("datasets:train:dataroot_gt=gone", "dataroot_gt: no such folder: 'gone'"),
        ("datasets:val:dataroot_gt=empty", "dataroot_gt: the folder 'empty' is empty"),
        ("datasets:val:dataroot_gt=texts", "texts"),
        (
            "datasets:train:channels=1",
            "channels: its inputs have 1 channels, but network_g:in_chans is 3",
        ),
        ("network_g:widths=[8,16]", "network_g: "),
        ("path:pretrain_network_g=gone.pth", "pretrain_network_g: no such file: 'gone.pth'"),
        ("path:pretrain_network_g=other.pth", "saved from SemanIR("),
        ("path:pretrain_network_g=texts/a.txt", "a.txt: cut short, not a torch checkpoint"),
        ("datasets:train:progressive=[{iters: 2}]", "progressive: the stages have 2 iterations"),
        (
            "logger:keep_states=0",
            "logger:keep_states: received 0; allowed: int of 1 or more",
        ),
        (
            "logger:keep_best={dataset: a}",
            "keep_best: received {'dataset': 'a'}; allowed: {dataset: str,",
        ),
        ("logger:keep_best={dataset: b, metric: psnr}", "keep_best:dataset: received 'b'"),
        (
            "logger:keep_best={dataset: a, metric: x}",
            "keep_best:metric: received 'x'; allowed: psnr, ssim",
        ),
        ("val:protocol=denoise", "received 'denoise'; allowed: 'denoise_rgb'"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_message(work, capsys, override, message):
    (work / "empty").mkdir()
    (work / "texts").mkdir()
    (work / "texts" / "a.txt").write_text("no image")
    save_weights(work / "other.pth", TINY_SR)
    assert train("--force_yml", override) == 2
    error = [line for line in capsys.readouterr().err.splitlines() if " INFO: " not in line]
    assert any(line.startswith("error: ") for line in error)
    assert message in "\n".join(error)
    assert "Traceback" not in "\n".join(error)


def test_a_set_too_small_for_a_batch_is_refused_on_request(work, capsys):
    overrides = ("datasets:train:allow_repeats=false", "datasets:train:batch_size_per_gpu=3")
    assert train("--force_yml", *overrides) == 2
    assert "2 images cannot fill a batch of 3 without repeating" in capsys.readouterr().err
    assert train("--force_yml", *overrides[1:]) == 0


def test_progressive_patches_must_be_made_of_whole_input_pixels(capsys):
    leaf = ROOT / "options" / "sr" / "SemanIR_tiny_x2.yml"
    stages = "datasets:train:progressive=[{iters: 10000000, patch_size: 9}]"
    assert main(["-opt", str(leaf), "--force_yml", stages]) == 2
    error = capsys.readouterr().err
    assert "train:progressive: received 9; allowed: multiples of scale, which is 2" in error


@pytest.mark.parametrize("workers", [0, 1])
def test_an_unreadable_image_is_named(work, capsys, workers):
    for image in (work / "images").iterdir():
        image.write_bytes(image.read_bytes()[:60])
    assert train("--force_yml", f"datasets:train:num_worker_per_gpu={workers}") == 2
    error = capsys.readouterr().err
    assert re.search(r"^error: \S*images/[ab]\.png", error, re.MULTILINE)
    assert "Traceback" not in error


def test_a_refused_training_leaves_the_former_one_alone(work):
    assert train() == 0
    before = sorted(work.rglob("*"))
    assert train("--force_yml", "network_g:widths=[8,16]") == 2
    assert sorted(work.rglob("*")) == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has GPUs")
def test_more_gpus_than_there_are_is_an_error(work, capsys):
    assert train("--force_yml", "num_gpu=2") == 2
    assert "num_gpu: received 2, but torch finds 0 here" in capsys.readouterr().err


def test_a_missing_option_file_is_told(work, capsys):
    assert main(["-opt", "trian.yml"]) == 2
    assert "did you mean 'train.yml'" in capsys.readouterr().err


def test_unexpected_errors_keep_their_traceback(work, monkeypatch):
    def fail(*_):
        raise ValueError("from somewhere else")

    monkeypatch.setattr(torch.Tensor, "backward", fail)
    with pytest.raises(ValueError, match="somewhere else"):
        train()


def test_ctrl_c_tells_how_to_continue_and_continuing_reaches_the_end(work, monkeypatch, capsys):
    def interrupt(self, iteration):
        if iteration == 3:
            raise KeyboardInterrupt
        step(self, iteration)

    step = RestorationModel.optimize_parameters
    monkeypatch.setattr(sys, "argv", ["train.py"])
    with monkeypatch.context() as patched:
        patched.setattr(RestorationModel, "optimize_parameters", interrupt)
        assert train() == 130
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith("Interrupted; iteration 2 is saved. Continue with: python ")
    assert message.endswith(" -opt train.yml --auto_resume")

    assert train("--auto_resume") == 0
    logged = re.findall(r"iter: +(\d)", capsys.readouterr().err)
    assert logged == ["2", "2", "3", "4"]
    states = work / "experiments" / "run" / "training_states"
    assert {state.name for state in states.glob("*.state")} == {f"{i}.state" for i in range(1, 5)}


def test_an_interrupt_before_the_first_state_says_so(work, monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(RestorationModel, "optimize_parameters", interrupt)
    assert train() == 130
    assert "Interrupted before a state was saved." in capsys.readouterr().err


def test_an_averaged_network_resumes_with_its_trained_weights(work):
    assert train("--force_yml", "train:ema_decay=0.9", "path:param_key_g=params_ema") == 0
    overrides = ["train:ema_decay=0.9", "path:param_key_g=params_ema", "train:total_iter=5"]
    assert train("--auto_resume", "--force_yml", *overrides) == 0
    assert (work / "experiments" / "run" / "training_states" / "5.state").is_file()


def test_a_plain_file_of_basicsr_trains(work):
    text = (work / "train.yml").read_text().replace("_base_: [none.yml]\n", "")
    text = text.replace("RestorationModel", "SRModel").replace("  protocol: denoise_rgb\n", "")
    (work / "plain.yml").write_text(text.replace("lr: 0.001", "lr: 1e-3") + "use_shuffle: true\n")
    assert main(["-opt", "plain.yml"]) == 0
    weights = torch.load(work / "experiments" / "run" / "models" / "net_g_latest.pth")
    assert weights.keys() == {"params", "network_g", "metadata"}


def test_states_of_another_network_are_refused(work, capsys):
    assert train() == 0
    assert train("--auto_resume", "--force_yml", "network_g:widths=[16]", "train:total_iter=5") == 2
    assert "do not fit SemanIRUNet" in capsys.readouterr().err


def test_a_host_that_cannot_be_used_is_told(work, monkeypatch, capsys):
    def fail():
        raise host.HostError("torchvision cannot be imported")

    monkeypatch.setattr(host, "prepare", fail)
    assert train() == 2
    assert "error: torchvision cannot be imported" in capsys.readouterr().err


@pytest.mark.slow
def test_the_script_stops_at_ctrl_c_and_continues(work):
    command = [
        sys.executable,
        ROOT / "train.py",
        "-opt",
        "train.yml",
        "--auto_resume",
        "--force_yml",
    ]
    environment = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    environment["SEMANIR_NATIVE"] = "off"
    process = subprocess.Popen(
        [*command, "train:total_iter=100000"],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        restore_signals=True,
    )
    states = work / "experiments" / "run" / "training_states"
    deadline = time.monotonic() + 600
    while not (states / "2.state").is_file() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=600)
    assert process.returncode == 130
    assert "Continue with: python" in error
    assert "Traceback" not in error
    reached = max(int(state.stem) for state in states.glob("*.state"))
    assert train("--auto_resume", "--force_yml", f"train:total_iter={reached + 1}") == 0
    assert (states / f"{reached + 1}.state").is_file()
