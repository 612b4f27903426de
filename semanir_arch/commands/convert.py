"""Convert weights: `python -m semanir_arch.commands.convert SOURCE TARGET`.

From any file that `load_checkpoint` reads to safetensors or to BasicSR's layout, by the suffix of
TARGET (`.safetensors`, `.pth`, `.pt`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from semanir_arch.bridges.converting import SUFFIXES, convert
from semanir_arch.bridges.opening import weights_or_shipped
from semanir_arch.utils.checkpoint import describe_network
from semanir_arch.utils.command_line import Parser, run_guarded
from semanir_arch.utils.options.yaml_reading import parse_value

__all__ = ["build_parser", "convert", "main", "read_network"]


def main(argv: Sequence[str] | None = None) -> int:
    """Convert one file.

    Returns:
        0, or 2 if something given cannot be used.
    """
    arguments = build_parser().parse_args(argv)
    return run_guarded("convert", lambda: _convert(arguments))


def _convert(arguments: argparse.Namespace) -> None:
    path = weights_or_shipped(arguments.source)
    read = convert(
        path,
        arguments.target,
        param_key=arguments.param_key,
        prefix=arguments.prefix,
        network=arguments.network,
        task=arguments.task,
    )
    sys.stdout.write(
        f"{path}: recognized as {read.layout}; {len(read.params)} weights of "
        f"{describe_network(read.network)} -> {arguments.target}\n"
    )


def read_network(text: str) -> dict[str, Any]:
    """Read what `--network` takes: an option block, or the name of an option file that has one.

    Raises:
        argparse.ArgumentTypeError: It is neither.
    """
    try:
        if text.endswith((".yml", ".yaml")):
            content = yaml.safe_load(Path(text).read_text(encoding="utf-8"))
            block = content.get("network_g") if isinstance(content, dict) else None
        else:
            block = parse_value(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        text = f"received {text!r}, which cannot be read: {str(error).splitlines()[0]}"
        raise argparse.ArgumentTypeError(text) from error
    if not isinstance(block, dict):
        raise argparse.ArgumentTypeError(
            f"received {text!r}; a mapping such as '{{type: Restormer}}', or an option file with "
            "network_g, is needed"
        )
    return block


def build_parser() -> Parser:
    """The arguments of the command."""
    parser = Parser(
        prog="python -m semanir_arch.commands.convert", description="Convert a file with weights."
    )
    parser.add_argument(
        "source", help="file with weights, a task with shipped ones, or hf:USER/REPO[@REVISION]"
    )
    parser.add_argument("target", type=Path, help=f"suffix {', '.join(SUFFIXES)}")
    parser.add_argument("--param-key", default="auto", help="which weights; default: averaged ones")
    parser.add_argument(
        "--prefix",
        default="",
        help="keep the weights whose names begin with this, such as 'model.', without it",
    )
    parser.add_argument(
        "--network",
        type=read_network,
        help="option block, for files that do not name their network: "
        "'{type: RAMiT, task: low_light}', or an option file that has it",
    )
    parser.add_argument("--task", help="what the weights are for, in words")
    return parser


if __name__ == "__main__":
    sys.exit(main())
