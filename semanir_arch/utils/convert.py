"""Convert weights: `python -m semanir_arch.utils.convert SOURCE TARGET`.

From any file that `load_checkpoint` reads to safetensors or to BasicSR's layout, by the suffix of
TARGET (`.safetensors`, `.pth`, `.pt`).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from semanir_arch.utils.checkpoint import (
    Checkpoint,
    describe_network,
    load_checkpoint,
    save_checkpoint,
)
from semanir_arch.utils.command_line import Exit, Parser
from semanir_arch.utils.tensor_file import write_tensors

__all__ = ["build_parser", "convert", "main"]

SUFFIXES = (".safetensors", ".pth", ".pt")


def convert(
    source: Path,
    target: Path,
    *,
    param_key: str = "auto",
    network: Mapping[str, Any] | None = None,
    task: str | None = None,
) -> Checkpoint:
    """Write the weights of a file in another format, with what the file says about them.

    Args:
        source: File that `load_checkpoint` reads.
        target: File to write; its suffix decides the format. Replaced if it exists.
        param_key: Which weights; see `load_checkpoint`.
        network: Option block of the network; None for the one in the file.
        task: What the weights are for, in words; None for what the file says.

    Returns:
        What was read.

    Raises:
        FileNotFoundError: No such file.
        ValueError: `source` cannot be read, or `target` has another suffix.
    """
    if target.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{target}: suffix must be one of {', '.join(SUFFIXES)}")
    checkpoint = load_checkpoint(source, param_key)
    record: dict[str, Any] = {
        "network_g": dict(network) if network else checkpoint.network,
        "metadata": checkpoint.metadata | ({"task": task} if task else {}),
    }
    record = {key: value for key, value in record.items() if value}
    if target.suffix.lower() == ".safetensors":
        write_tensors(target, checkpoint.params, record)
    else:
        save_checkpoint(target, {"params": checkpoint.params, **record})
    return checkpoint


def build_parser() -> Parser:
    """The arguments of the command."""
    parser = Parser(
        prog="python -m semanir_arch.utils.convert", description="Convert a file with weights."
    )
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path, help=f"suffix {', '.join(SUFFIXES)}")
    parser.add_argument("--param-key", default="auto", help="which weights; default: averaged ones")
    parser.add_argument(
        "--network",
        type=yaml.safe_load,
        help="option block, for files that do not name their network: "
        "'{type: RAMiT, task: low_light}'",
    )
    parser.add_argument("--task", help="what the weights are for, in words")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Convert one file.

    Returns:
        0, or 2 if something given cannot be used.
    """
    parser = build_parser()
    arguments = parser.parse_args(argv)
    if arguments.network is not None and not isinstance(arguments.network, dict):
        parser.error(f"--network: received {arguments.network!r}; a mapping is needed")
    try:
        read = convert(
            arguments.source,
            arguments.target,
            param_key=arguments.param_key,
            network=arguments.network,
            task=arguments.task,
        )
    except (OSError, ValueError, TypeError) as error:
        sys.stderr.write(f"convert: {error}\n")
        return Exit.REFUSED
    sys.stdout.write(
        f"{arguments.source}: recognised as {read.layout}; {len(read.params)} weights of "
        f"{describe_network(arguments.network or read.network)} -> {arguments.target}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
