"""Export a network: `python -m semanir_arch export WEIGHTS -o FILE`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from semanir_arch.bridges.opening import weights_or_shipped
from semanir_arch.commands.convert import read_network
from semanir_arch.restoring.exporting import SUFFIXES, export
from semanir_arch.utils.command_line import Parser, run_guarded

__all__ = ["build_parser", "export", "main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Export one network.

    Returns:
        0, or 2 if something given cannot be used.
    """
    arguments = build_parser().parse_args(argv)
    return run_guarded("export", lambda: _export(arguments))


def _export(arguments: argparse.Namespace) -> None:
    weights = weights_or_shipped(arguments.weights)
    exported = export(
        weights,
        arguments.output,
        tile=arguments.tile,
        k=arguments.k,
        network=arguments.network,
        overwrite=arguments.overwrite,
    )
    size = arguments.output.stat().st_size / 2**20
    sys.stdout.write(f"{weights} -> {arguments.output} ({size:.1f} MiB)\n")
    for key in ("sizes", "smallest_side", "channel_order", "range", "scale"):
        if key in exported.metadata:
            sys.stdout.write(f"  {key}: {exported.metadata[key]}\n")
    if exported.difference is not None:
        sys.stdout.write(f"  largest difference from torch: {exported.difference:.1e}\n")
    elif arguments.output.suffix.lower() == ".onnx":
        sys.stdout.write("  not compared with torch: onnxruntime is not installed\n")


def build_parser() -> Parser:
    """The arguments of the command."""
    parser = Parser(prog="python -m semanir_arch export", description="Export a network.")
    parser.add_argument(
        "weights", help="file with weights, or a task with shipped ones (semanir-restore --list)"
    )
    parser.add_argument(
        "-o", "--output", required=True, type=Path, help=f"suffix {', '.join(SUFFIXES)}"
    )
    parser.add_argument(
        "--tile", type=int, metavar="PIXELS", help="fix height and width; default: any size"
    )
    parser.add_argument("--k", type=int, help="keys kept per token; default: as trained")
    parser.add_argument(
        "--network",
        type=read_network,
        help="option block, or an option file with network_g, for files that do not name their "
        "network: '{type: RAMiT, task: low_light}'",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a file that exists")
    return parser


if __name__ == "__main__":
    sys.exit(main())
