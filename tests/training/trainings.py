"""Trainings of a second in processes of their own, to be killed, and what they leave behind."""

from __future__ import annotations

import multiprocessing
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import numpy as np
import torch

from semanir_arch.data.files.image_io import write_image
from semanir_arch.utils.checkpoint import load_state
from semanir_arch.utils.options import to_yaml
from tests.helpers import TINY_UNET

WARM = multiprocessing.get_context("forkserver")
"""Starts processes that have torch and BasicSR imported."""

_POLLING = threading.Lock()
"""Starting a process asks all others for their exit codes; two threads that ask for one lose it."""


def warm_up() -> None:
    """Wait until such processes start in a moment."""
    process = WARM.Process(target=os.getpid)
    process.start()
    process.join()


WARM.set_forkserver_preload(["tests.training.preloaded"])

DATASET = {"name": "a", "type": "GaussianDenoisingDataset", "dataroot_gt": "gt", "sigma": 25}

OURS: dict[str, Any] = {
    "name": "run",
    "model_type": "RestorationModel",
    "num_gpu": 0,
    "manual_seed": 1,
    "network_g": TINY_UNET,
    "path": {"pretrain_network_g": None, "param_key_g": "params_ema"},
    "datasets": {
        "train": DATASET
        | {
            "sigma": [5, 50],
            "patch_size": 16,
            "batch_size_per_gpu": 2,
            "num_worker_per_gpu": 0,
        },
        "val": DATASET,
    },
    "train": {
        "total_iter": 24,
        "warmup_iter": 4,
        "ema_decay": 0.9,
        "k": [2, 4, 8],
        "optim_g": {"type": "AdamW", "lr": 3e-3},
        "scheduler": {"type": "MultiStepLR", "milestones": [12, 20], "gamma": 0.5},
        "pixel_opt": {"type": "L1Loss"},
    },
    "val": {"val_freq": 8, "save_img": False, "protocol": "denoise_rgb"},
    "logger": {"print_freq": 1, "save_checkpoint_freq": 4, "use_tb_logger": False},
}
"""A denoiser with everything that draws random numbers: patches, noise, levels, k."""

PLAIN: dict[str, Any] = {
    "name": "run",
    "model_type": "SRModel",
    "scale": 2,
    "num_gpu": 0,
    "manual_seed": 1,
    "datasets": {
        "train": {
            "name": "train",
            "type": "PairedImageDataset",
            "dataroot_gt": "gt",
            "dataroot_lq": "lq",
            "io_backend": {"type": "disk"},
            "gt_size": 16,
            "use_hflip": True,
            "use_rot": True,
            "batch_size_per_gpu": 2,
            "num_worker_per_gpu": 0,
            "dataset_enlarge_ratio": 3,
        },
        "val": {
            "name": "a",
            "type": "PairedImageDataset",
            "dataroot_gt": "gt",
            "dataroot_lq": "lq",
            "io_backend": {"type": "disk"},
        },
    },
    "network_g": {"type": "SRVGGNetCompact", "num_feat": 2, "num_conv": 1, "upscale": 2},
    "path": {"pretrain_network_g": None, "resume_state": None},
    "train": {
        "total_iter": 24,
        "ema_decay": 0.9,
        "optim_g": {"type": "Adam", "lr": 0.001},
        "scheduler": {"type": "MultiStepLR", "milestones": [12]},
        "pixel_opt": {"type": "L1Loss"},
    },
    "val": {
        "val_freq": 8,
        "save_img": False,
        "metrics": {"psnr": {"type": "calculate_psnr", "crop_border": 2, "test_y_channel": False}},
    },
    "logger": {"print_freq": 1, "save_checkpoint_freq": 4, "use_tb_logger": False},
}
"""A file without `_base_`, as BasicSR's users have them, with BasicSR's model and dataset."""


def merge(options: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Options with some changed, also inside blocks; a block with a type replaces another."""
    merged = dict(options)
    for key, value in changes.items():
        inside = isinstance(value, Mapping) and key in merged and "type" not in value
        merged[key] = merge(merged[key], value) if inside else value
    return merged


def prepare(folder: Path, options: Mapping[str, Any]) -> Path:
    """Make a working folder with five image pairs and the options, as run.yml."""
    for index in range(5):
        image = np.random.default_rng(index).integers(256, size=(32, 40, 3)).astype(np.uint8)
        write_image(folder / "gt" / f"{index}.png", image)
        write_image(folder / "lq" / f"{index}.png", image[::2, ::2])
    (folder / "run.yml").write_text(to_yaml(options))
    return folder


@dataclass
class Process:
    """One run of train.py in a folder.

    Args:
        folder: From `prepare`.
        arguments: Of the command line, besides the option file.
        fault: Called in the process before it starts; must be found by import.
    """

    folder: Path
    arguments: tuple[str, ...] = ("--auto_resume",)
    fault: Callable[[], None] | None = None
    process: Any = field(init=False)

    def __post_init__(self) -> None:
        self.process = WARM.Process(target=_train, args=(self.folder, self.arguments, self.fault))
        with _POLLING:
            self.process.start()

    def finish(self, timeout: float = 600) -> int:
        """Wait for its end, and return its exit code; minus the signal that killed it."""
        if not wait([self.process.sentinel], timeout):
            self.process.kill()
            raise TimeoutError(f"still running after {timeout} s:\n{printed(self.folder)}")
        with _POLLING:
            self.process.join()
        return int(self.process.exitcode)

    def kill_after(self, seconds: float) -> int:
        """Kill it, unless it has ended by then, and return its exit code."""
        wait([self.process.sentinel], seconds)
        self.process.kill()
        return self.finish()

    def wait_for(self, text: str, timeout: float = 300) -> None:
        """Wait until it has printed a text."""
        deadline = time.monotonic() + timeout
        while text not in printed(self.folder):
            if time.monotonic() > deadline or wait([self.process.sentinel], 0):
                raise TimeoutError(f"{text!r} did not appear:\n{printed(self.folder)}")
            time.sleep(0.002)


def train(folder: Path, *arguments: str, fault: Callable[[], None] | None = None) -> int:
    """Run train.py to its end, and return its exit code."""
    return Process(folder, arguments, fault).finish()


def printed(folder: Path) -> str:
    """Everything that the runs in a folder have printed."""
    file = folder / "printed.txt"
    return file.read_text() if file.is_file() else ""


def _redirect(folder: Path) -> None:
    torch.set_num_threads(1)
    # Loading processes start as they do outside the tests.
    multiprocessing.set_start_method("fork", force=True)
    os.chdir(folder)
    output = os.open("printed.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for descriptor in (1, 2):
        os.dup2(output, descriptor)


def _train(folder: Path, arguments: tuple[str, ...], fault: Callable[[], None] | None) -> None:
    _redirect(folder)
    sys.argv = ["train.py"]
    from semanir_arch.commands.train import main

    if fault is not None:
        fault()
    sys.exit(main(["-opt", "run.yml", *arguments]))


def train_with_basicsr(folder: Path) -> int:
    """Run BasicSR's own `train_pipeline` in a folder, and return the exit code."""
    process = WARM.Process(target=_train_with_basicsr, args=(folder,))
    with _POLLING:
        process.start()
        process.join(60)
    return int(process.exitcode)


def _train_with_basicsr(folder: Path) -> None:
    _redirect(folder)
    sys.argv = ["train.py", "-opt", "run.yml"]
    from semanir_arch import host

    host.load("basicsr.train").train_pipeline(str(folder))


@dataclass(frozen=True)
class Result:
    """What a training has produced, whatever happened on the way.

    Args:
        weights: Latest and best networks, with their averages.
        state: Optimizers, schedules and all else of the last state.
        log: Learning rate and losses, as printed, by iteration.
        scores: Means and best means, as printed, by iteration.
    """

    weights: dict[str, Any]
    state: dict[str, Any]
    log: dict[int, str]
    scores: dict[int, str]


def result(folder: Path) -> Result:
    """Read what a finished training has produced.

    Raises:
        AssertionError: An iteration was run twice, with different values.
    """
    experiment = folder / "experiments" / "run"
    log: dict[int, str] = {}
    scores: dict[int, str] = {}
    current = 0
    for line in printed(folder).splitlines():
        reached = re.search(r"iter: +([\d,]+)", line)
        current = int(reached[1].replace(",", "")) if reached else current
        numbers = re.search(r"lr:(\(\S+\))\] \[eta.*?\)\] (.*)", line)
        if numbers:
            text = " ".join(numbers.groups())
            assert log.setdefault(current, text) == text
        if line.startswith("\t # "):
            name = line.split()[1]
            known = scores.get(current, "")
            assert name not in known or line in known
            scores[current] = known if name in known else known + line
    last = max((experiment / "training_states").glob("*.state"), key=lambda f: int(f.stem))
    return Result(
        weights={file.name: load_state(file) for file in (experiment / "models").glob("*.pth")},
        state=load_state(last),
        log=log,
        scores=scores,
    )


def assert_same(first: Any, second: Any) -> None:
    """Compare nested values bit by bit."""
    if isinstance(first, torch.Tensor):
        assert first.dtype == second.dtype
        assert torch.equal(first, second)
    elif isinstance(first, Mapping):
        assert first.keys() == second.keys()
        for key, value in first.items():
            assert_same(value, second[key])
    elif isinstance(first, (list, tuple)):
        assert len(first) == len(second)
        for one, other in zip(first, second, strict=True):
            assert_same(one, other)
    elif isinstance(first, Result):
        assert_same(vars(first), vars(second))
    else:
        assert first == second
