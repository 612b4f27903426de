"""`python -m semanir_arch completion SHELL`: a script that lets a shell complete the commands."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from semanir_arch.commands.launch import COMMANDS
from semanir_arch.tasks import NETWORK_TASKS
from semanir_arch.utils.command_line import Parser, run_guarded
from semanir_arch.utils.errors import MissingPackageError

__all__ = ["build_parser", "main"]

SHELLS = ("bash", "zsh", "tcsh")

_VALUES: dict[str, Sequence[str]] = {"--task": ("auto", *NETWORK_TASKS)}
"""Completions offered for options that take more than fixed words."""

_BASH = "complete -o bashdefault -F"
_BASH_WITH_FILES = "complete -o bashdefault -o default -o filenames -F"
"""Registration of a function by shtab, and one that offers files if the function finds nothing."""


def build_parser() -> Parser:
    """The arguments of the command."""
    parser = Parser(
        prog="python -m semanir_arch completion",
        description="Print a script that completes the options of a command; see "
        "docs/installation.md for where each shell looks for it.",
    )
    parser.add_argument("shell", choices=SHELLS)
    parser.add_argument(
        "name",
        nargs="?",
        choices=[name for name, command in COMMANDS.items() if command.is_script],
        help="one command; default: all of them, which bash can read from one file",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Print the script.

    Args:
        argv: Arguments; None for those of the process.

    Returns:
        0, or 2 if shtab is missing.
    """
    arguments = build_parser().parse_args(argv)
    return run_guarded("completion", lambda: _print(arguments.shell, arguments.name))


def _print(shell: str, name: str | None) -> None:
    try:
        import shtab
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            "completion needs shtab: pip install 'semanir-arch[completion]'"
        ) from error
    for each in COMMANDS if name is None else [name]:
        if COMMANDS[each].is_script:
            parser = COMMANDS[each].build_parser()
            parser.prog = f"semanir-{each}"
            _offer(parser, shtab.FILE)
            script: str = shtab.complete(parser, shell=shell)
            sys.stdout.write(script.replace(_BASH, _BASH_WITH_FILES) + "\n")


def _offer(parser: argparse.ArgumentParser, files: Mapping[str, Any]) -> None:
    """Say what each value is: shtab offers files only where it is told to.

    Args:
        parser: Parser, changed in place with its subparsers.
        files: The mark of shtab for names of files.
    """
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for subparser in action.choices.values():
                _offer(subparser, files)
            continue
        values = next((_VALUES[name] for name in action.option_strings if name in _VALUES), None)
        if values is not None:
            action.choices = values
        elif action.nargs != 0 and action.choices is None and action.type not in (int, float):
            shown: Any = action
            shown.complete = files


if __name__ == "__main__":
    sys.exit(main())
