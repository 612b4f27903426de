"""`python -m semanir_arch completion SHELL`: a script that lets a shell complete the commands."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from semanir_arch.commands.launch import COMMANDS
from semanir_arch.utils.command_line import Parser, run_guarded
from semanir_arch.utils.errors import MissingPackageError

__all__ = ["build_parser", "main"]

SHELLS = ("bash", "zsh", "tcsh")


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
            sys.stdout.write(shtab.complete(parser, shell=shell) + "\n")


if __name__ == "__main__":
    sys.exit(main())
