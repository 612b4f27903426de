"""The command line of train.py and test.py: BasicSR's flags, and `--profile`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

__all__ = ["parse_arguments"]


def parse_arguments(
    argv: Sequence[str], description: str, is_train: bool = True
) -> argparse.Namespace:
    """Read the flags.

    Args:
        argv: Without the name of the script.
        description: First line of `--help`.
        is_train: Whether the flags of a training are allowed.

    Raises:
        SystemExit: With code 2 for flags that do not exist, with 0 for `--help`.
    """
    parser = argparse.ArgumentParser(description=description, epilog="See docs/options.md.")
    parser.add_argument(
        "-opt",
        required=True,
        metavar="FILE",
        help="option file, e.g. options/train/quickstart/*.yml",
    )
    parser.add_argument(
        "--force_yml",
        nargs="+",
        default=[],
        metavar="KEY:KEY=VALUE",
        help="change options, e.g. train:optim_g:lr=1e-4 vars:sigma=50",
    )
    parser.add_argument(
        "--auto_resume",
        action="store_true",
        help="continue from the newest saved state, if there is one",
    )
    parser.add_argument(
        "--launcher",
        choices=("none", "pytorch", "slurm"),
        default="none",
        help="how several processes were started; torchrun is recognised without it",
    )
    parser.add_argument(
        "--debug", action="store_true", help="log, validate and save every few iterations"
    )
    if is_train:
        parser.add_argument(
            "--profile",
            type=int,
            default=0,
            metavar="N",
            help="print where the time of N iterations goes, then end; nothing is saved",
        )
    # Older launchers add it, in either spelling; the environment says the same.
    parser.add_argument("--local_rank", "--local-rank", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args(argv)
