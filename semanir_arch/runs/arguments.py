"""The command line of train.py and test.py: BasicSR's flags, and those of this package."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from semanir_arch.utils.command_line import Parser
from semanir_arch.utils.shipped import find_option_file

__all__ = ["build_parser", "parse_arguments"]


def parse_arguments(
    argv: Sequence[str], description: str, is_train: bool = True
) -> argparse.Namespace:
    """Read the flags.

    Args:
        argv: Arguments without the name of the script.
        description: First line of `--help`.
        is_train: Whether the flags of a training are allowed.

    Raises:
        SystemExit: With code 2 for flags that do not exist, with 0 for `--help`.
    """
    return build_parser(description, is_train).parse_args(argv)


def build_parser(description: str, is_train: bool = True) -> Parser:
    """The flags of a training or a test.

    Args:
        description: First line of `--help`.
        is_train: Whether the flags of a training are allowed.
    """
    parser = Parser(description=description, epilog="See docs/options.md.")
    parser.add_argument(
        "-opt",
        required=True,
        type=find_option_file,
        metavar="FILE",
        help="option file; where there is none of this name, the one of the package: "
        "`semanir-options --list` shows them",
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
        help="how several processes were started; torchrun is recognized without it",
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
    else:
        _add_test_flags(parser)
    # Older launchers add it, in either spelling; the environment says the same.
    parser.add_argument("--local_rank", "--local-rank", type=int, default=0, help=argparse.SUPPRESS)
    return parser


def _add_test_flags(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "See docs/testing.md and docs/options.md."
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help="weights instead of those of the option file: .pth or .safetensors; names of vars in "
        "braces are filled in, as in net_sigma{sigma}.pth",
    )
    parser.add_argument(
        "--sweep",
        action="append",
        default=[],
        metavar="NAME=V1,V2,...",
        help="test once for each value of an entry of vars or of another option: sigma=15,25,50; "
        "may be given several times",
    )
    parser.add_argument(
        "--k", metavar="K1,K2,...", help="keys kept per token; several values give a curve"
    )
    parser.add_argument(
        "--ensemble",
        action="store_true",
        help="average over the eight orientations of each image",
    )
    parser.add_argument(
        "--tile",
        metavar="N|auto",
        help="restore in tiles of N pixels; auto does so only with images that are too large",
    )
    parser.add_argument(
        "--skip_missing",
        "--skip-missing",
        action="store_true",
        help="leave out data sets that are not there; the report names them",
    )
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="start over, instead of continuing an interrupted test; older results are renamed",
    )
