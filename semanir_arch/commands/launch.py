"""The commands that an installation brings, each started by one function of this file.

Modules are loaded when their command runs: `--help` of one does not wait for torch of another.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from semanir_arch.utils.command_line import Exit, Parser, open_streams
from semanir_arch.utils.suggestions import did_you_mean
from semanir_arch.utils.threads import wait_idly

__all__ = [
    "COMMANDS",
    "Command",
    "data",
    "doctor",
    "options",
    "overview",
    "quickstart",
    "restore",
    "run",
    "score",
    "show_overview",
    "test",
    "train",
]


@dataclass(frozen=True)
class Command:
    """One command.

    Args:
        module: Module with `main(argv)`, which returns the exit code, and `build_parser()`.
        purpose: Purpose in one line.
        is_script: Whether an installation puts it on the PATH, as `semanir-NAME`.
    """

    module: str
    purpose: str
    is_script: bool = True

    def build_parser(self) -> Parser:
        """The arguments of the command."""
        parser: Parser = importlib.import_module(self.module).build_parser()
        return parser


COMMANDS: dict[str, Command] = {
    "restore": Command("semanir_arch.commands.restore", "restore photographs"),
    "train": Command("semanir_arch.commands.train", "train a network from an option file"),
    "test": Command("semanir_arch.commands.test", "score a network on test sets"),
    "options": Command(
        "semanir_arch.commands.options", "list, print and copy option files, and write their schema"
    ),
    "score": Command("semanir_arch.commands.score", "score one folder of images against another"),
    "data": Command("semanir_arch.commands.data", "prepare, cut, degrade and check images"),
    "quickstart": Command(
        "semanir_arch.commands.quickstart", "train, test and restore a photograph, in minutes"
    ),
    "doctor": Command("semanir_arch.commands.doctor", "check this installation, and repair it"),
    "weights": Command(
        "semanir_arch.commands.weights", "train, score and list shipped networks", is_script=False
    ),
    "export": Command(
        "semanir_arch.commands.export", "export a network to ONNX or torch.export", is_script=False
    ),
    "convert": Command("semanir_arch.commands.convert", "convert a file with weights", False),
    "hub": Command("semanir_arch.commands.hub", "publish weights with a model card", False),
    "completion": Command(
        "semanir_arch.commands.completion", "let a shell complete these commands", False
    ),
}
"""Every command by its name."""


def run(name: str, argv: Sequence[str]) -> int:
    """Run one command.

    Args:
        name: Key of `COMMANDS`.
        argv: Arguments of the command.

    Returns:
        Exit code of the command; 2 if there is no such command.
    """
    if name not in COMMANDS:
        near = did_you_mean(name, COMMANDS) or f"; allowed: {', '.join(COMMANDS)}"
        sys.stderr.write(f"semanir_arch: no command {name!r}{near}\n")
        return Exit.REFUSED
    wait_idly()
    return int(importlib.import_module(COMMANDS[name].module).main([*argv]))


def overview() -> str:
    """All commands with their purpose, one per line."""
    lines = ["Commands of the SemanIR toolkit. Add --help to any of them:", ""]
    for name, command in COMMANDS.items():
        spelled = f"semanir-{name}" if command.is_script else f"python -m semanir_arch {name}"
        lines.append(f"  {spelled:36} {command.purpose}")
    return "\n".join(lines) + "\n"


def show_overview() -> None:
    """Write the overview to stdout."""
    open_streams()
    sys.stdout.write(overview())


def data() -> int:
    """`semanir-data`."""
    return run("data", sys.argv[1:])


def doctor() -> int:
    """`semanir-doctor`."""
    return run("doctor", sys.argv[1:])


def options() -> int:
    """`semanir-options`."""
    return run("options", sys.argv[1:])


def quickstart() -> int:
    """`semanir-quickstart`."""
    return run("quickstart", sys.argv[1:])


def restore() -> int:
    """`semanir-restore`."""
    return run("restore", sys.argv[1:])


def score() -> int:
    """`semanir-score`."""
    return run("score", sys.argv[1:])


def test() -> int:
    """`semanir-test`, and test.py."""
    return run("test", sys.argv[1:])


def train() -> int:
    """`semanir-train`, and train.py."""
    return run("train", sys.argv[1:])
