"""Publish weights: `python -m semanir_arch.commands.hub pack|push WEIGHTS TARGET`.

`pack` writes a folder with everything a repository of the Hugging Face hub needs, without a
network; `push` uploads it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from semanir_arch.bridges import hub_repository
from semanir_arch.bridges.opening import weights_or_shipped
from semanir_arch.utils.command_line import Parser, run_guarded

__all__ = ["build_parser", "main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Write or upload one network.

    Returns:
        0, or 2 if something given cannot be used or the hub refused.
    """
    arguments = build_parser().parse_args(argv)
    return run_guarded("hub", lambda: _publish(arguments))


def _publish(arguments: argparse.Namespace) -> None:
    facts = {"name": arguments.name, "author": arguments.author, "license": arguments.license}
    weights = weights_or_shipped(arguments.weights)
    if arguments.action == "push":
        address = hub_repository.push(weights, arguments.target, private=arguments.private, **facts)
        sys.stdout.write(f"{weights} -> {address}\n")
        return
    written = hub_repository.pack(
        weights,
        Path(arguments.target),
        repo=arguments.repo,
        overwrite=arguments.overwrite,
        **facts,
    )
    for path in written:
        sys.stdout.write(f"{path}\n")


def build_parser() -> Parser:
    """The arguments of the command."""
    parser = Parser(
        prog="python -m semanir_arch.commands.hub",
        description="Publish weights with a model card and an entry for OpenModelDB.",
    )
    parser.add_argument("action", choices=("pack", "push"))
    parser.add_argument(
        "weights", help="file with weights, a task with shipped ones, or hf:USER/REPO[@REVISION]"
    )
    parser.add_argument("target", help="pack: a folder; push: USER/REPO")
    parser.add_argument("--name", help="name name name of the model; default: the file's name")
    parser.add_argument("--author", help="publisher, for OpenModelDB")
    parser.add_argument(
        "--license", help="license of the weights, such as Apache-2.0; default: none stated"
    )
    parser.add_argument("--repo", help="pack: USER/REPO, for the addresses in the texts")
    parser.add_argument("--private", action="store_true", help="push: hide a new repository")
    parser.add_argument("--overwrite", action="store_true", help="pack: replace files that exist")
    return parser


if __name__ == "__main__":
    sys.exit(main())
