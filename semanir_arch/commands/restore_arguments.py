"""The arguments of `semanir-restore`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from semanir_arch.tasks import NETWORK_TASKS, get_task
from semanir_arch.utils.command_line import Parser
from semanir_arch.utils.errors import InputError, UserError
from semanir_arch.utils.suffixes import HEIC_SUFFIXES, RAW_SUFFIXES

__all__ = ["FORMATS", "build_parser", "parse_arguments"]

FORMATS = ("png", "jpg", "tif", "webp", "bmp")
"""Formats of results, by the suffix."""

_ONLY_READ = (
    *("gif", "ppm", "pgm", "jp2", "avif"),
    *(suffix[1:] for suffix in (*HEIC_SUFFIXES, *RAW_SUFFIXES)),
)

_NOT_EXPLAINED = (
    *("list", "serve", "host", "port", "sigma", "quality", "format", "depth", "save_quality"),
    *("compare", "precision", "tile", "overlap", "margin", "ensemble", "strength", "force"),
    *("diagnose", "sheet"),
)
"""Options without effect on --explain: it reads the network once, in float32 and without tiles."""

_DESCRIPTION = """\
Restore images with a trained network: files, folders with their sub-folders, and patterns such as
'photos/**/*.jpg'. Any size, 8 or 16 bit, gray or color, with or without alpha. Results keep name,
format, depth, color profile and metadata of the input; see docs/restoring.md."""

_EXIT = """\
exit code: 0 all restored; 1 some failed, each with one message; 2 nothing could be done; 130
interrupted"""


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read and check the command line; ends the process with one message if it is wrong."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    _check(parser, arguments)
    return arguments


def build_parser() -> Parser:
    """The arguments, before any check that concerns more than one of them."""
    parser = Parser(
        prog="semanir-restore",
        usage="%(prog)s INPUT... -o OUTPUT [--task NAME | --weights FILE] [option ...]",
        description=_DESCRIPTION,
        epilog=_EXIT,
    )
    parser.add_argument("input", nargs="*", help="image, folder, or pattern in quotes")
    parser.add_argument(
        "-o", "--output", type=_read_output, help="folder, or file name for one image"
    )
    _add_network(parser)
    _add_results(parser)
    _add_computing(parser)
    _add_other(parser)
    return parser


def _add_network(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what to do")
    group.add_argument(
        "--task",
        metavar="NAME",
        help="auto (default): inspect every picture and choose; or one of "
        f"{', '.join(NETWORK_TASKS)}, or several in order, as in jpeg+sr_x2; --list explains them",
    )
    group.add_argument(
        "--force", action="store_true", help="restore even pictures with nothing to repair"
    )
    group.add_argument(
        "--strength",
        type=float,
        metavar="0..1",
        help="share of the change to keep: 0 is the input, 1 (default) the whole result",
    )
    group.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="your own network, experiments/NAME/models/net_g_latest.pth; somebody else's that "
        "spandrel knows; or hf:USER/REPO[@REVISION]",
    )
    group.add_argument(
        "--sigma",
        type=float,
        help="denoising: remove no more than noise of this deviation (0-255 scale)",
    )
    group.add_argument(
        "--quality",
        type=float,
        help="JPEG artifacts: change no more than this JPEG quality leaves open (1 to 100)",
    )
    group.add_argument(
        "--bayer",
        metavar="PHASE",
        help="demosaicking: colors of the first two rows and columns; rggb (default), bggr, grbg, "
        "gbrg",
    )


def _add_results(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("results")
    group.add_argument(
        "--format", choices=FORMATS, help="format of all results; default: as the input, else png"
    )
    group.add_argument(
        "--depth", type=int, choices=(8, 16), help="bits per sample; default: as the input"
    )
    group.add_argument(
        "--save-quality", type=int, default=95, metavar="1-100", help="quality of JPEG; default: 95"
    )
    group.add_argument(
        "--compare",
        action="store_true",
        help="also write NAME_compare.png, before and after, and compare.html with all of them",
    )
    group.add_argument("--overwrite", action="store_true", help="replace files that exist")


def _add_computing(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("computing")
    group.add_argument(
        "--device", default="auto", help="auto (default), cpu, cuda, cuda:1, mps, xpu, ..."
    )
    group.add_argument(
        "--precision",
        default="auto",
        choices=("auto", "fp32", "bf16"),
        help="auto (default): bf16 where it is faster and as good, else fp32",
    )
    group.add_argument(
        "--k", type=int, help="keys kept per token, fewer for speed; default: as trained"
    )
    group.add_argument(
        "--tile",
        type=_read_tile,
        default="auto",
        metavar="PIXELS",
        help="restore in tiles of this side; none: whole images; default: auto, whole up to a "
        "megapixel, and smaller where the memory is short",
    )
    group.add_argument(
        "--overlap", type=int, metavar="PIXELS", help="overlap of tiles in pixels; default: 64"
    )
    group.add_argument(
        "--margin",
        type=int,
        metavar="PIXELS",
        help="mirrored pixels that the network sees beyond the border; default: 8 for enlarging "
        "networks; 0 gives what test.py does",
    )
    group.add_argument(
        "--ensemble",
        action="store_true",
        help="average over eight orientations: a little better, eight times as slow",
    )


def _add_other(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("instead of restoring")
    group.add_argument(
        "--list", action="store_true", help="list the tasks; with --scores also their test scores"
    )
    group.add_argument("--scores", action="store_true", help=argparse.SUPPRESS)
    group.add_argument(
        "--diagnose",
        action="store_true",
        help="say what is wrong with the pictures and what would help; write nothing",
    )
    group.add_argument(
        "--json", action="store_true", help="--diagnose: print one line of JSON per picture"
    )
    group.add_argument(
        "--try",
        dest="sheet",
        action="store_true",
        help="write NAME_try.png and NAME_try.html: a part of each picture under every task",
    )
    group.add_argument(
        "--serve", action="store_true", help="serve a page for the browser, on this computer only"
    )
    group.add_argument("--host", default="127.0.0.1", help="--serve: address to listen on")
    group.add_argument("--port", type=int, default=7860, help="--serve: default: 7860; 0: any")
    group.add_argument(
        "--explain",
        metavar="X,Y",
        help="write a page (-o PAGE.html) that shows where this pixel of a photo looks",
    )


def _check(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    _check_values(parser, arguments)
    if arguments.list or arguments.serve:
        return
    if not arguments.input:
        parser.error("name images, folders or patterns to restore")
    if arguments.explain is not None and arguments.task is None and arguments.weights is None:
        parser.error("say which network to explain with --task NAME or --weights FILE")
    _check_auto(parser, arguments)
    if arguments.explain is None and not arguments.diagnose and arguments.output is None:
        parser.error("say where results go with -o FOLDER, or -o FILE for one image")
    output = arguments.output
    if output is None or output.is_dir():
        return
    suffix = output.suffix.lower().removeprefix(".")
    suffix = {"jpeg": "jpg", "tiff": "tif"}.get(suffix, suffix)
    if suffix in _ONLY_READ:
        parser.error(
            f"-o {output}: this format cannot be written; allowed: {', '.join(FORMATS)}, "
            "or a folder"
        )
    if arguments.format and suffix in FORMATS and suffix != arguments.format:
        parser.error(f"-o {output} and --format {arguments.format} contradict each other")


def _check_values(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    if arguments.task is not None:
        try:
            _check_task(arguments)
        except UserError as error:
            parser.error(str(error))
    if arguments.strength is not None and not 0 <= arguments.strength <= 1:
        parser.error(f"--strength {arguments.strength:g}: allowed: 0 to 1")
    for flag, needed in (("json", "diagnose"), ("scores", "list")):
        if getattr(arguments, flag) and not getattr(arguments, needed):
            parser.error(f"--{flag} belongs to --{needed}")
    if not 1 <= arguments.save_quality <= 100:
        parser.error(f"--save-quality {arguments.save_quality}: allowed: 1 to 100")
    if arguments.explain is not None:
        _check_explain(parser, arguments)


def _check_task(arguments: argparse.Namespace) -> None:
    """Refuse unknown tasks, and chains where one network is needed.

    Raises:
        ValueError: Naming what is wrong.
    """
    names = [name.strip() for name in arguments.task.split("+")]
    if names != ["auto"]:
        for name in names:
            if name == "auto":
                raise InputError("--task auto chooses by itself and cannot be part of a chain")
            get_task(name)
    one = arguments.serve or arguments.explain is not None or arguments.weights is not None
    if one and (len(names) > 1 or names == ["auto"]):
        raise InputError(f"--task {arguments.task}: one network is needed here; name its task")


def _check_auto(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    if arguments.weights is not None or arguments.task not in (None, "auto"):
        return
    given = [
        name for name in ("sigma", "quality", "bayer", "k") if vars(arguments)[name] is not None
    ]
    if given:
        parser.error(f"--{given[0]} needs a --task, because it does not apply to every picture")


def _check_explain(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    given = vars(arguments)
    unused = [name for name in _NOT_EXPLAINED if given[name] != parser.get_default(name)]
    if unused:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in unused)
        parser.error(f"--explain restores nothing; leave out {options}")


def _read_output(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("'': a name must not be empty")
    return Path(text)


def _read_tile(text: str) -> int | str | None:
    if text in ("auto", "none"):
        return None if text == "none" else text
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: allowed: auto, none, or a number of pixels")
    return int(text)
