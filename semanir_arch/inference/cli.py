"""The command `semanir-restore`: image files and folders in, restored files out."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from semanir_arch.utils.threads import wait_idly

if TYPE_CHECKING:
    from semanir_arch.inference.jobs import Job
    from semanir_arch.inference.restorer import Restorer

__all__ = ["main"]

ALL_RESTORED, SOME_FAILED, NOTHING_POSSIBLE, INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Restore images; one message per file that cannot be restored, and on with the rest.

    Args:
        argv: Arguments; None for those of the process.

    Returns:
        0; 1 if a file could not be restored; 2 if nothing could, because of the arguments or the
        weights; 130 after an interruption, which leaves no half-written file.
    """
    arguments = parse_arguments(argv)
    wait_idly()
    # after parsing: torch takes seconds to load, and --help should not
    from semanir_arch.inference.jobs import make_plan
    from semanir_arch.inference.restorer import Restorer

    plan = make_plan(arguments.input, arguments.output)
    for problem in plan.problems:
        _complain(problem)
    if not plan.jobs:
        return NOTHING_POSSIBLE
    try:
        restorer = Restorer(
            arguments.weights,
            arguments.device,
            arguments.precision,
            arguments.k,
            tile=arguments.tile,
            overlap=arguments.overlap,
        )
    except (OSError, ValueError) as error:
        _complain(str(error))
        return NOTHING_POSSIBLE
    failed = len(plan.problems)
    try:
        for number, job in enumerate(plan.jobs, start=1):
            failed += not _run(
                job,
                restorer,
                f"[{number}/{len(plan.jobs)}]",
                arguments.overwrite,
                arguments.compare,
            )
    except KeyboardInterrupt:
        _complain("interrupted; files reported above are complete")
        return INTERRUPTED
    return SOME_FAILED if failed else ALL_RESTORED


def _run(job: Job, restorer: Restorer, number: str, overwrite: bool, compare: bool) -> bool:
    """Restore one file and report it; False if that failed."""
    try:
        _refuse_existing([job.target, job.picture] if compare else [job.target], overwrite)
        start = time.perf_counter()
        height, width = _restore(job, restorer, compare)
    except (OSError, ValueError, TypeError, MemoryError, ArithmeticError) as error:
        text = str(error)
        _complain(text if text.startswith(str(job.source)) else f"{job.source}: {text}")
        return False
    seconds = time.perf_counter() - start
    _say(f"{number} {job.source} -> {job.target} ({width} x {height} pixels, {seconds:.1f} s)")
    if compare:
        _say(f"{' ' * len(number)} before and after: {job.picture}")
    return True


def _restore(job: Job, restorer: Restorer, compare: bool) -> tuple[int, int]:
    """Read, restore and write one image; returns height and width of the result."""
    from semanir_arch.data.image_io import load_image, write_image
    from semanir_arch.inference.comparison import side_by_side

    image = load_image(job.source)
    restored = restorer.restore(image.pixels)
    write_image(job.target, restored, icc_profile=image.icc_profile)
    if compare:
        picture = side_by_side({"before": image.pixels, "after": restored})
        write_image(job.picture, picture, icc_profile=image.icc_profile)
    return restored.shape[0], restored.shape[1]


def _refuse_existing(paths: Sequence[Path], overwrite: bool) -> None:
    for path in paths:
        if path.is_dir():
            raise ValueError(f"the result would replace a folder, {path}")
        if path.exists() and not overwrite:
            raise ValueError(f"{path} exists; --overwrite replaces it")


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="semanir-restore",
        description="Restore images with a trained network: any size, 8 or 16 bit, gray or colour, "
        "with or without alpha. Results keep name, format and depth of the input.",
    )
    parser.add_argument("input", nargs="+", type=Path, help="image, or folder with images")
    parser.add_argument(
        "-o", "--output", required=True, type=Path, help="folder, or file name for one image"
    )
    parser.add_argument(
        "--weights",
        required=True,
        type=Path,
        help="network file written by train.py: experiments/NAME/models/net_g_latest.pth",
    )
    parser.add_argument(
        "--compare", action="store_true", help="also write a before/after picture, NAME_compare.png"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    parser.add_argument(
        "--device", default="auto", help="auto (default), cpu, cuda, cuda:1, mps, ..."
    )
    parser.add_argument(
        "--precision", default="fp32", choices=("fp32", "bf16"), help="default: fp32"
    )
    parser.add_argument(
        "--k", type=int, help="keys kept per token, fewer for speed; default: as trained"
    )
    parser.add_argument(
        "--tile",
        type=_read_tile,
        default="auto",
        metavar="PIXELS",
        help="restore in tiles of this side; none: whole images; default: auto, whole up to a "
        "megapixel",
    )
    parser.add_argument(
        "--overlap", type=int, metavar="PIXELS", help="what tiles share; default: 64"
    )
    return parser.parse_args(argv)


def _read_tile(text: str) -> int | str | None:
    if text in ("auto", "none"):
        return None if text == "none" else text
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r}: allowed: auto, none, or a number of pixels")
    return int(text)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _complain(line: str) -> None:
    sys.stderr.write(f"semanir-restore: {line}\n")


if __name__ == "__main__":
    sys.exit(main())
