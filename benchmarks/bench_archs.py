"""Measure whole networks: `python benchmarks/bench_archs.py [--output FILE]`.

First all networks side by side, then Restormer and RAMiT against their plain equations, then what
the number of keys does to SemanIR: each named size restores one image with its own k and with every
key kept (plain window attention), so that what the key-semantic dictionary costs or saves is
visible in the same run. The sizes that a CPU can train also make a training step.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from string import Template

import torch
import yaml
from measure import compare, header, markdown_table
from network_costs import cost_table, equations_table

from semanir_arch.archs import build_network
from semanir_arch.archs.base import KeySemanticNetwork

FRAGMENTS = Path(__file__).parents[1] / "options" / "_base_" / "network"
SIDE = 128
EVERY_KEY = 10**6
TRAINABLE_PARAMETERS = {"cpu": 500_000, "cuda": 10**9}


def main() -> None:
    """Print the report, and write it where `--output` says."""
    parser = argparse.ArgumentParser(description="Time whole networks.")
    parser.add_argument("--output", type=Path, help="also write the report to this Markdown file")
    parser.add_argument("--rounds", type=int, default=3, help="measurements per candidate")
    parser.add_argument("--side", type=int, default=256, help="pixels, for the first two tables")
    parser.add_argument("--only", default="", help="networks whose name contains this")
    arguments = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    rows: list[list[str]] = []
    wanted = sorted(FRAGMENTS.glob("semanir_*.yml")) if arguments.only in "SemanIR" else []
    for fragment in wanted:
        rows += rows_of(fragment, device, arguments.rounds)
    columns = ["network", "parameters", "k", "restore, ms", "times all keys", "training step, ms"]
    report = "\n".join(
        [
            header("Networks", "python benchmarks/bench_archs.py"),
            f"One {arguments.side} x {arguments.side} colour image.\n",
            cost_table(arguments.side, device, arguments.rounds, arguments.only),
            "Against the plain equations, on the CPU:\n",
            equations_table(arguments.side, arguments.rounds),
            f"Number of keys: one {SIDE} x {SIDE} colour image, float32; super-resolution at x2.\n",
            markdown_table([*columns, "times all keys"], rows),
        ]
    )
    sys.stdout.write(report)
    if arguments.output:
        arguments.output.write_text(report)


def rows_of(fragment: Path, device: str, rounds: int) -> list[list[str]]:
    """Time one named size: a row with its own k, a row with every key."""
    torch.manual_seed(0)
    text = Template(fragment.read_text()).substitute(scale=2, channels=3)
    network = build_network(yaml.safe_load(text)["network_g"]).to(device)
    if not isinstance(network, KeySemanticNetwork):
        raise TypeError(f"{fragment}: {type(network).__name__} has no k")
    parameters = sum(p.numel() for p in network.parameters())
    image = torch.rand(1, 3, SIDE, SIDE, device=device)
    kept = (network.k, EVERY_KEY)
    forward = _cells(partial(_restore, network, image), kept, rounds)
    step = [["-", "-"]] * 2
    if parameters <= TRAINABLE_PARAMETERS[device]:
        step = _cells(partial(_train, network, image), kept, rounds)
    return [
        [
            fragment.stem,
            f"{parameters / 1e6:.2f} M",
            "all" if k == EVERY_KEY else str(k),
            *forward[index],
            *step[index],
        ]
        for index, k in enumerate(kept)
    ]


def _cells(run: Callable[[int], None], kept: tuple[int, int], rounds: int) -> list[list[str]]:
    timings = compare({str(k): partial(run, k) for k in kept}, rounds, 1)
    every = timings[str(EVERY_KEY)]
    return [[f"{t.median:.0f}", f"{t.ratio(every):.2f}"] for t in timings.values()]


def _restore(network: KeySemanticNetwork, image: torch.Tensor, k: int) -> None:
    network.k = k
    with torch.inference_mode():
        network.eval()(image)


def _train(network: KeySemanticNetwork, image: torch.Tensor, k: int) -> None:
    network.k = k
    network.train().zero_grad()
    network(image).abs().mean().backward()


if __name__ == "__main__":
    main()
