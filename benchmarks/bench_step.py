"""Memory and time of a training step: `python benchmarks/bench_step.py [--output FILE]`.

Every setting of `docs/training.md` that trades one for the other makes steps with the same network
and batch, each setting in a process of its own, because peak memory cannot be reset.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from fragments import network_options
from measure import header, markdown_table

import semanir_arch.plugin  # noqa: F401 - registers the networks
from semanir_arch.models.restoration_model import RestorationModel
from semanir_arch.utils.memory import peak_memory

PARTS = 4

SETTINGS: dict[str, dict[str, Any]] = {
    "none of these": {},
    f"`train: {{accumulate: {PARTS}}}`": {"accumulate": PARTS},
    "`train: {checkpointing: true}`": {"checkpointing": True},
    "both": {"accumulate": PARTS, "checkpointing": True},
    "`precision: bf16`": {"precision": "bf16"},
    "`train: {channels_last: true}`": {"channels_last": True},
}


def main() -> None:
    """Print the report, and write it where `--output` says."""
    parser = argparse.ArgumentParser(description="Measure a training step.")
    parser.add_argument("--network", default="semanir_unet_light", help="network fragment")
    parser.add_argument("--patch", type=int, default=64, help="side of the patches in pixels")
    parser.add_argument("--batch", type=int, default=4, help="patches per step")
    parser.add_argument("--rounds", type=int, default=5, help="steps per setting")
    parser.add_argument("--output", type=Path, help="also write the report to this Markdown file")
    parser.add_argument("--setting", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.setting is not None:
        sys.stdout.write(json.dumps(measure(arguments, json.loads(arguments.setting))))
        return
    rows = []
    for name, setting in SETTINGS.items():
        command = [sys.executable, __file__, *sys.argv[1:], "--setting", json.dumps(setting)]
        result = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        memory, seconds = json.loads(result.stdout)
        rows.append([name, f"{memory / 2**20:.0f}", f"{seconds:.2f}"])
    report = "\n".join(
        [
            header("A training step"),
            f"{arguments.network}, {arguments.batch} color patches of {arguments.patch} x "
            f"{arguments.patch} pixels, Adam. Memory: peak of the process during the steps, less "
            "its peak before them.\n",
            markdown_table(["setting", "memory, MiB", "time, s"], rows),
        ]
    )
    sys.stdout.write(report)
    if arguments.output:
        arguments.output.write_text(report)


def measure(arguments: argparse.Namespace, setting: dict[str, Any]) -> tuple[int, float]:
    """Peak memory of steps with one setting, in bytes, and the median time of one, in seconds."""
    model = RestorationModel(options(arguments.network, dict(setting)))
    lq = torch.rand(arguments.batch, 3, arguments.patch, arguments.patch)
    before, seconds = peak_memory() or 0, []
    for iteration in range(1, arguments.rounds + 1):
        start = time.perf_counter()
        model.feed_data({"lq": lq, "gt": lq})
        model.optimize_parameters(iteration)
        seconds.append(time.perf_counter() - start)
    return (peak_memory() or 0) - before, statistics.median(seconds)


def options(network: str, setting: dict[str, Any]) -> dict[str, Any]:
    """Options of a training, as BasicSR would hand them to the model."""
    return {
        "is_train": True,
        "num_gpu": min(torch.cuda.device_count(), 1),
        "dist": False,
        "rank": 0,
        "precision": setting.pop("precision", "fp32"),
        "network_g": network_options(network, scale=2, channels=3),
        "path": {},
        "train": {
            "optim_g": {"type": "Adam", "lr": 2e-4},
            "scheduler": {"type": "MultiStepLR", "milestones": []},
            "pixel_opt": {"type": "L1Loss"},
            **setting,
        },
    }


if __name__ == "__main__":
    main()
