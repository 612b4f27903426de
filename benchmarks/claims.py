"""The paper's claims, tested at the scale of one processor core.

    python benchmarks/claims.py run       # trains what has no record yet: about five core-hours
    python benchmarks/claims.py costs     # time and memory against window and k
    python benchmarks/claims.py report    # writes docs/claims.md from the records

Each finished training leaves one record in benchmarks/results/claims; `run` skips those that have
one, so it can be stopped and started at any time and loses one training at most. It needs
datasets/packed (`python -m semanir_arch.weights pack`) and datasets/test/CBSD68.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
RECORDS = ROOT / "benchmarks" / "results" / "claims"
PAGE = ROOT / "docs" / "claims.md"
SEEDS = (0, 1)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Test the paper's claims.")
    commands = parser.add_subparsers(dest="command", required=True)
    run_parser = commands.add_parser("run", help="train what has no record yet")
    run_parser.add_argument("--variants", nargs="+", help="default: all, in the order of the table")
    run_parser.add_argument("--tasks", nargs="+", help="default: all")
    run_parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    run_parser.add_argument("--records", type=Path, default=RECORDS)
    run_parser.add_argument("--minutes", nargs="+", type=float, help="when to score; ends the last")
    run_parser.add_argument("--iterations", nargs="+", type=int, help="when to score")
    for name, text in (("costs", "measure time and memory"), ("report", "write docs/claims.md")):
        commands.add_parser(name, help=text).add_argument("--records", type=Path, default=RECORDS)
    arguments = parser.parse_args()
    arguments.records.mkdir(parents=True, exist_ok=True)
    {"run": run, "costs": costs, "report": report}[arguments.command](arguments)


def run(arguments: argparse.Namespace) -> None:
    """Train, the seeds last, so that every variant has one record soon."""
    from claims_runs import TASKS, Budget, train, variant_named
    from claims_variants import VARIANTS

    budget = Budget(
        tuple(arguments.iterations or Budget.iterations), tuple(arguments.minutes or Budget.minutes)
    )
    torch.set_num_threads(1)
    for seed in arguments.seeds:
        for task in arguments.tasks or TASKS:
            for name in arguments.variants or VARIANTS:
                path = arguments.records / f"{task}_{name}_{seed}.json"
                if path.is_file():
                    continue
                began = time.perf_counter()
                record = train(variant_named(name), task, seed, budget)
                record.origin = _origin()
                record.save(path)
                sys.stdout.write(
                    f"{path.name}: {record.iterations} iterations, "
                    f"{time.perf_counter() - began:.0f} s, {record.cbsd68:.2f} dB on CBSD68\n"
                )
                sys.stdout.flush()


def costs(arguments: argparse.Namespace) -> None:
    """Measure, and keep the figures beside the records."""
    from claims_costs import measure_all

    result = {"origin": _origin(), **measure_all()}
    (arguments.records / "costs.json").write_text(json.dumps(result, indent=1) + "\n")


def report(arguments: argparse.Namespace) -> None:
    """Write the page."""
    from claims_page import write_page

    PAGE.write_text(write_page(arguments.records))


def _origin() -> dict[str, str]:
    from measure import _processor

    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "processor": _processor(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    main()
