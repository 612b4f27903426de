"""Memory and time of a training step: `python benchmarks/bench_step.py [--output FILE]`.

Every setting of `docs/training.md` that trades one for the other makes steps with the same network
and batch, each setting in a process of its own, because peak memory cannot be reset.

`--against NETWORK ...` compares networks instead, step by step in one process, and says which
operators take the time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from fragments import network_options
from measure import compare, header, markdown_table

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
    parser.add_argument(
        "--against", nargs="+", default=[], help="network fragments to compare with"
    )
    parser.add_argument("--scale", type=int, default=2, help="of super-resolution")
    parser.add_argument("--keys", nargs="+", type=int, default=[], help="also with these numbers k")
    parser.add_argument("--output", type=Path, help="also write the report to this Markdown file")
    parser.add_argument("--setting", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.setting is not None:
        sys.stdout.write(json.dumps(measure(arguments, json.loads(arguments.setting))))
        return
    report = compare_networks(arguments) if arguments.against else compare_settings(arguments)
    sys.stdout.write(report)
    if arguments.output:
        arguments.output.write_text(report)


def compare_settings(arguments: argparse.Namespace) -> str:
    """Report on the settings of one network."""
    rows = []
    for name, setting in SETTINGS.items():
        command = [sys.executable, __file__, *sys.argv[1:], "--setting", json.dumps(setting)]
        result = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        memory, seconds = json.loads(result.stdout)
        rows.append([name, f"{memory / 2**20:.0f}", f"{seconds:.2f}"])
    return "\n".join(
        [
            header("A training step"),
            f"{arguments.network}, {_batch_in_words(arguments)}. Memory: peak of the process "
            "during the steps, less its peak before them.\n",
            markdown_table(["setting", "memory, MiB", "time, s"], rows),
        ]
    )


def compare_networks(arguments: argparse.Namespace) -> str:
    """Report on steps of several networks, in turn: time, and the operators that take it."""
    variants: dict[str, tuple[str, dict[str, Any]]] = {
        name: (name, {}) for name in (arguments.network, *arguments.against)
    }
    for k in arguments.keys:
        variants[f"{arguments.network}, k {k}"] = arguments.network, {"k": k}
    steps, models = {}, {}
    for title, (name, changes) in variants.items():
        chosen = options(name, {}, scale=arguments.scale)
        chosen["network_g"] |= changes
        models[title] = RestorationModel(chosen)
        steps[title] = _step(models[title], arguments, arguments.scale)
    timings = compare(steps, arguments.rounds, 1, time.process_time)
    last = timings[arguments.against[-1]]
    rows = [
        [
            title,
            f"{sum(p.numel() for p in models[title].net_g.parameters()) / 1e6:.3f}",
            f"{timing.median / 1e3:.2f}",
            f"{timing.ratio(last):.2f}",
        ]
        for title, timing in timings.items()
    ]
    columns = ["network", "M parameters", "processor time, s", f"times {arguments.against[-1]}"]
    parts = [
        header("Training steps of several networks"),
        f"x{arguments.scale}, {_batch_in_words(arguments)}.\n",
        markdown_table(columns, rows),
    ]
    for title, step in steps.items():
        parts.append(f"\n## Operators of {title}\n\n{_profile(step)}")
    return "\n".join(parts)


def _batch_in_words(arguments: argparse.Namespace) -> str:
    side = arguments.patch
    return f"{arguments.batch} color patches of {side} x {side} pixels, Adam"


def _step(model: RestorationModel, arguments: argparse.Namespace, scale: int) -> Callable[[], None]:
    side = arguments.patch
    lq = torch.rand(arguments.batch, 3, side, side)
    gt = torch.rand(arguments.batch, 3, scale * side, scale * side)

    def step() -> None:
        model.feed_data({"lq": lq, "gt": gt})
        model.optimize_parameters(1)

    return step


def _profile(step: Callable[[], None], most: int = 8) -> str:
    """Operators with the largest own times in one step."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        step()
    events = profile.key_averages()
    whole = sum(event.self_cpu_time_total for event in events)
    largest = sorted(events, key=lambda event: -event.self_cpu_time_total)[:most]
    rows = [
        [f"`{event.key}`", str(event.count), f"{event.self_cpu_time_total / whole:.0%}"]
        for event in largest
    ]
    return markdown_table(["operator", "calls", "share"], rows)


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


def options(network: str, setting: dict[str, Any], scale: int = 2) -> dict[str, Any]:
    """Options of a training, as BasicSR would hand them to the model."""
    return {
        "is_train": True,
        "num_gpu": min(torch.cuda.device_count(), 1),
        "dist": False,
        "rank": 0,
        "precision": setting.pop("precision", "fp32"),
        "network_g": network_options(network, scale=scale, channels=3),
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
