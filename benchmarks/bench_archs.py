"""Measure whole networks: `python benchmarks/bench_archs.py [--output FILE]`.

First all networks side by side, then Restormer and RAMiT against their plain equations, then what
the number of keys does to SemanIR: each named size restores one image with its own k and with every
key kept (plain window attention), so that what the key-semantic dictionary costs or saves is
visible in the same run. Rows are written as they are measured. The default takes about seven
minutes on two cores; `--all` adds the largest networks to the last table, and a quarter of an hour.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from fragments import fragments, network_options
from measure import Report, compare, header, markdown_line, markdown_rule
from network_costs import CANDIDATES, EQUATIONS

from semanir_arch.archs import build_network
from semanir_arch.archs.base import KeySemanticNetwork

KEYS_SIDE = 128
EVERY_KEY = 10**6
LARGE = ("base", "small")
TRAINABLE_PARAMETERS = {"cpu": 500_000, "cuda": 10**9}
PATIENCE = 300

COSTS = ["network", "image", "parameters, M", "published", "multiply-adds, G"]
COSTS += ["counted / published", "forward, ms", "bfloat16, ms", "forward + backward, ms"]
COSTS += ["forward, MiB", "forward + backward, MiB"]
FASTER = ["network", "equations, ms", "float32, ms", "bfloat16, ms", "times faster"]
FASTER += ["bfloat16 faster", "largest difference"]
KEYS = ["network", "parameters", "k", "restore, ms", "times all keys", "training step, ms"]
KEYS += ["times all keys"]

NOTES = """Peak memory is that of a process of its own, above the network's. Multiply-adds are
those of convolutions and matrix products as torch's counter sees what runs, attention with every
key of a window; "counted / published" compares them at the size that the published figure is of
(Restormer's counter saw convolutions alone, RAMiT's also norms; tests/archs reproduces both to the
last digit).
"""


def main() -> None:
    """Print the report row by row, and write it where `--output` says."""
    arguments = parse_arguments()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    write = Report(arguments.output)
    write(header("Networks") + "\n")
    write(f"One color image per network, float32 unless stated, {device}. {NOTES}\n")
    write(markdown_rule(COSTS))
    chosen = [name for name in CANDIDATES if arguments.only.lower() in name.lower()]
    for name in chosen:
        write(markdown_line(cost_cells(name, device, arguments.rounds)))
    compared = [name for name in EQUATIONS if arguments.only.lower() in name.lower()]
    if compared:
        write(
            f"\nAgainst the plain equations, {arguments.side} x {arguments.side}, on the CPU:\n\n"
        )
        write(markdown_rule(FASTER))
    for name in compared:
        write(markdown_line(faster_cells(name, arguments.side, arguments.rounds)))
    if arguments.only.lower() not in "semanir":
        return
    write(f"\nNumber of keys: one {KEYS_SIDE} x {KEYS_SIDE} image; super-resolution at x2.\n\n")
    write(markdown_rule(KEYS))
    for fragment in fragments("semanir_*"):
        if arguments.all or not fragment.stem.endswith(LARGE):
            for row in rows_of(fragment, device, arguments.rounds):
                write(markdown_line(row))


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Time whole networks.")
    parser.add_argument("--output", type=Path, help="also write the report to this Markdown file")
    parser.add_argument("--rounds", type=int, default=2, help="measurements per candidate")
    parser.add_argument("--side", type=int, default=256, help="pixels, against the equations")
    parser.add_argument("--only", default="", help="networks whose name contains this")
    parser.add_argument("--all", action="store_true", help="also the keys of the largest networks")
    return parser.parse_args()


def cost_cells(name: str, device: str, rounds: int) -> list[str]:
    """A row of the first table."""
    candidate = CANDIDATES[name]
    side = candidate.side
    image = f"{side} x {side}"
    found = _run_apart(kind="network", name=name, side=side, device=device, rounds=rounds)
    if found is None:
        return [name, image, *[f"longer than {PATIENCE} s"] * (len(COSTS) - 2)]
    beside = "-"
    if candidate.cost is not None:
        published, height, width = candidate.cost
        beside = f"{found['cost_at_published_size']:.1f} / {published} at {height} x {width}"
    return [
        name,
        image,
        f"{found['parameters'] / 1e6:.3f}",
        candidate.parameters,
        f"{found['cost']:.1f}",
        beside,
        *(f"{found[kind]:.0f}" for kind in ("float32", "bfloat16", "step")),
        *(f"{found[kind]:.0f}" for kind in ("forward_memory", "step_memory")),
    ]


def faster_cells(name: str, side: int, rounds: int) -> list[str]:
    """A row of the second table."""
    found = _run_apart(kind="equations", name=name, side=side, rounds=rounds)
    if found is None:
        return [name, *[f"longer than {PATIENCE} s"] * (len(FASTER) - 1)]
    return [
        name,
        *(f"{found[kind]:.0f}" for kind in ("equations", "float32", "bfloat16")),
        *(f"{found[kind]:.2f}" for kind in ("faster", "bfloat16_faster")),
        f"{found['difference']:.1e}",
    ]


def _run_apart(**case: Any) -> dict[str, Any] | None:
    """Measure in a process of its own; None if that takes too long."""
    script = Path(__file__).with_name("network_costs.py")
    try:
        result = subprocess.run(
            [sys.executable, script, json.dumps(case)],
            check=True,
            stdout=subprocess.PIPE,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        return None
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def rows_of(fragment: Path, device: str, rounds: int) -> list[list[str]]:
    """Time one named size: a row with its own k, a row with every key."""
    torch.manual_seed(0)
    network = build_network(network_options(fragment.stem, scale=2, channels=3)).to(device)
    if not isinstance(network, KeySemanticNetwork):
        raise TypeError(f"{fragment}: {type(network).__name__} has no k")
    parameters = sum(p.numel() for p in network.parameters())
    image = torch.rand(1, 3, KEYS_SIDE, KEYS_SIDE, device=device)
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
