"""What a user can mend is one line and an exit code, in every command; what we did wrong is not."""

from __future__ import annotations

import sys

import pytest

from semanir_arch import host
from semanir_arch.commands import launch, quickstart
from semanir_arch.commands.train import main as train
from semanir_arch.data.datasets.gaussian_denoising_dataset import GaussianDenoisingDataset
from semanir_arch.data.files.image_io import write_image
from semanir_arch.utils.command_line import FAULT, Exit
from tests.helpers import make_image

MISTAKES = {
    "restore": ["nowhere.png", "-o", "out", "--task", "denoise"],
    "train": ["-opt", "nowhere.yml"],
    "test": ["-opt", "nowhere.yml"],
    "options": ["nowhere.yml"],
    "score": ["nowhere", "--also", "niqe"],
    "data": ["check", "-opt", "nowhere.yml"],
    "quickstart": [],
    "weights": ["score", "nothing"],
    "export": ["nowhere.pth", "-o", "net.onnx"],
    "convert": ["nowhere.pth", "net.pth"],
    "hub": ["pack", "nowhere.pth", "folder"],
}
"""Something that cannot be used, for every command that takes something."""


def test_every_command_says_in_one_line_what_cannot_be_used(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(quickstart, "find_spec", lambda _: None)
    assert MISTAKES.keys() == launch.COMMANDS.keys() - {"doctor", "completion"}
    wrong = []
    for name, arguments in MISTAKES.items():
        code = launch.run(name, arguments)
        sys.stderr.flush()
        lines = capfd.readouterr().err.splitlines()
        if code != Exit.REFUSED or len(lines) != 1 or "Traceback" in lines[0]:
            wrong.append((name, code, lines))
    assert not wrong


def stumble(*_, **__):
    raise ValueError("math domain error")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_programming_error_in_a_data_set_is_no_fault_of_the_user(work, monkeypatch, workers):
    monkeypatch.setattr(GaussianDenoisingDataset, "degrade", stumble)
    with pytest.raises(ValueError, match="math domain error") as raised:
        train(["-opt", "train.yml", "--force_yml", f"datasets:train:num_worker_per_gpu={workers}"])
    assert FAULT in raised.value.__notes__


def test_a_programming_error_in_a_loss_is_no_fault_of_the_user(work, monkeypatch):
    monkeypatch.setattr(host.load("basicsr.losses.basic_loss").L1Loss, "forward", stumble)
    with pytest.raises(ValueError, match="math domain error") as raised:
        train(["-opt", "train.yml"])
    assert FAULT in raised.value.__notes__


def test_too_little_memory_is_one_line_that_says_what_needs_less(work, monkeypatch, capsys):
    def fail(*_):
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB\nmore")

    monkeypatch.setattr(host.load("basicsr.losses.basic_loss").L1Loss, "forward", fail)
    assert train(["-opt", "train.yml"]) == Exit.REFUSED
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("error: not enough memory for this training (CUDA out of memory.")
    assert "batch_size_per_gpu" in line


def test_a_damaged_image_is_told_by_a_loading_process_in_one_line(work, capsys):
    for file in (work / "images").iterdir():
        file.write_bytes(file.read_bytes()[:60])
    arguments = ["datasets:train:num_worker_per_gpu=1", "datasets:val=null"]
    assert train(["-opt", "train.yml", "--force_yml", *arguments]) == Exit.REFUSED
    (line,) = capsys.readouterr().err.splitlines()[-1:]
    assert line.startswith("error: ")
    assert "images/" in line


PAIRS = (
    "datasets:train={name: p, type: PairedImageDataset, dataroot_lq: lq, dataroot_gt: images, "
    "io_backend: {type: disk}, gt_size: 8, use_hflip: true, use_rot: true, batch_size_per_gpu: 1, "
    "num_worker_per_gpu: %d}"
)


@pytest.mark.parametrize("workers", [0, 1])
def test_what_basicsr_finds_in_an_image_names_key_and_file(work, capsys, workers):
    write_image(work / "lq" / "a.png", make_image((16, 20, 3)))
    (work / "lq" / "b.png").write_bytes(b"no image")
    arguments = ["scale=1", PAIRS % workers, "datasets:val=null"]
    assert train(["-opt", "train.yml", "--force_yml", *arguments]) == Exit.REFUSED
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("error: datasets:train: PairedImageDataset, item 1 (")
    assert "lq/b.png" in line
    assert "cannot be read" in line
