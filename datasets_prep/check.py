"""Look at every data set that an option file names, before training starts.

    python datasets_prep/check.py -opt options/denoising/SemanIR_color.yml

Every image is read. Reported are folders that do not exist, images that cannot be decoded, inputs
without target, sizes, channels and depths that do not fit, and leaks: training images that show a
picture of a validation or test set, as a whole (also resized, compressed again or gray) or as a
crop of at least about 100 pixels at the same resolution. Not found are pictures that are mirrored
or turned, crops that were resized, and other photographs of the same scene.

Exit code 0: all is well; 1: problems or leaks; 2: the option file cannot be used.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial

from semanir_arch.data import DATASETS
from semanir_arch.data.preparation.checking import LeakSearch, RootReport, check_block
from semanir_arch.data.preparation.parallel_jobs import Progress, default_workers, say
from semanir_arch.utils.command_line import Exit, run_guarded
from semanir_arch.utils.errors import InputError
from semanir_arch.utils.options import resolve
from semanir_arch.utils.options.roles import Role
from semanir_arch.utils.shipped import find_option_file, was_of_tests
from semanir_arch.utils.shown import shown

_SHOWN = 20


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_guarded("check", partial(_run, _parse(argv)), tell=_complain)


def _complain(text: str) -> None:
    sys.stderr.write(shown(f"{text}\n", keep="\n"))


def _run(arguments: argparse.Namespace) -> int:
    leaf = find_option_file(arguments.opt)
    role: Role = "test" if arguments.test or was_of_tests(arguments.opt, leaf) else "train"
    options = resolve(leaf, arguments.force_yml, role).options
    blocks = options.get("datasets") or {}
    if not blocks:
        raise InputError(f"{arguments.opt}: names no data sets")
    search = None if arguments.no_leaks else LeakSearch()
    reports = _check(blocks, int(options.get("scale", 1)), search, arguments)
    say(_table(reports))
    problems = [f"{root.key}: {problem}" for root in reports for problem in root.problems]
    _list("problem", problems)
    if search is not None:
        _list("leak", search.leaks)
    return Exit.SOME_FAILED if problems or (search and search.leaks) else Exit.DONE


def _check(
    blocks: dict[str, dict[str, object]],
    scale: int,
    search: LeakSearch | None,
    arguments: argparse.Namespace,
) -> list[RootReport]:
    """Test sets first, because training images are compared with them as they are read."""
    progress = Progress()
    reports = {}
    is_split = len({_is_training(name) for name in blocks}) == 2
    for name in sorted(blocks, key=_is_training):
        notice = None
        if search is not None and is_split:
            notice = search.search if _is_training(name) else search.show
        reports[name] = check_block(
            name,
            blocks[name],
            DATASETS,
            scale,
            arguments.workers,
            notice=notice,
            report=progress,
        )
    return [root for name in blocks for root in reports[name]]


def _is_training(name: str) -> bool:
    return name.startswith("train")


def _table(roots: Sequence[RootReport]) -> str:
    rows = [("data set", "images", "width x height", "channels", "problems")]
    for root in roots:
        rows.append(
            (
                f"{root.key} {', '.join(root.roots)}",
                str(len(root.paths)),
                root.sizes(),
                root.channels(),
                str(len(root.problems) or "-"),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _list(title: str, lines: Sequence[str]) -> None:
    say(f"{len(lines)} {title}" + "s" * (len(lines) != 1) + ":" * bool(lines))
    for line in lines[:_SHOWN]:
        say(f"  {line}")
    if len(lines) > _SHOWN:
        say(f"  and {len(lines) - _SHOWN} more")


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Check the data sets of an option file.")
    parser.add_argument("-opt", required=True, metavar="FILE", help="option file")
    parser.add_argument("--test", action="store_true", help="check what its test reads")
    parser.add_argument(
        "--force_yml", nargs="+", default=[], metavar="KEY:KEY=VALUE", help="as for train.py"
    )
    parser.add_argument("--no-leaks", action="store_true", help="do not look for leaks")
    parser.add_argument(
        "--workers", type=int, default=default_workers(), help="processes (default: all cores)"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
