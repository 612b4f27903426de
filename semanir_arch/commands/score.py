"""Scores the images of one folder against those of another.

python -m semanir_arch.metrics RESTORED TARGET --protocol denoise_rgb
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semanir_arch.data.files.image_io import Image, convert_channels, to_float, to_integer
from semanir_arch.data.sources.base import ImageSource
from semanir_arch.data.sources.name_rules import parse_name_rule
from semanir_arch.data.sources.opening import open_source
from semanir_arch.data.sources.pairing import find_pairs
from semanir_arch.metrics.protocols import PROTOCOLS, Protocol
from semanir_arch.metrics.registered import semanir_lpips
from semanir_arch.metrics.scores import Evaluation, Row, mean
from semanir_arch.report.table import tabulate, to_markdown, to_text
from semanir_arch.utils.atomic import write_text
from semanir_arch.utils.command_line import Exit, Parser

ALL_SCORED, SOME_FAILED = Exit.DONE, Exit.SOME_FAILED
NOTHING_POSSIBLE, INTERRUPTED = Exit.REFUSED, Exit.INTERRUPTED


def _niqe(restored: NDArray[np.uint8], target: NDArray[np.uint8]) -> float:
    # the only score that needs BasicSR
    from semanir_arch.models.naturalness import semanir_niqe

    return semanir_niqe(restored, target)


ALSO: dict[str, Callable[[NDArray[np.uint8], NDArray[np.uint8]], float]] = {
    "lpips": semanir_lpips,
    "niqe": _niqe,
}
"""Scores that no protocol includes, of 8-bit images (H, W, C) in BGR order."""


@dataclass(frozen=True)
class Scorer:
    """How one pair of files is scored.

    Args:
        protocol: Of PSNR, SSIM and what belongs to them.
        scale: Of super-resolution.
        also: Names in `ALSO`.
    """

    protocol: Protocol
    scale: int | None = None
    also: Sequence[str] = field(default=())

    def check(self) -> None:
        """Find out before the first image whether everything needed is there.

        Raises:
            ImportError: A package is missing.
            OSError: Weights are missing.
            ValueError: The scale is missing, or none.
        """
        self.protocol.border(self.scale)
        flat = np.zeros((64, 64, 3), np.uint8)
        for name in self.also:
            ALSO[name](flat, flat)

    def __call__(self, restored: NDArray[Any], target: NDArray[Any]) -> dict[str, float]:
        """Score one pair; gray and colour images are compared as the target is.

        Args:
            restored: (H, W, C) as stored, uint8 or uint16, RGB order or gray, perhaps with alpha.
            target: The same.

        Raises:
            ValueError: They have different sizes.
        """
        reference = _to_tensor(Image(target).color)
        image = _to_tensor(convert_channels(Image(restored), reference.shape[0]))
        if image.shape != reference.shape:
            height, width = image.shape[1:]
            raise ValueError(
                f"{width} x {height} pixels, but its target has "
                f"{reference.shape[2]} x {reference.shape[1]}"
            )
        scores = self.protocol.evaluate(image, reference, self.scale)
        stored = [to_integer(x.permute(1, 2, 0).numpy())[..., ::-1] for x in (image, reference)]
        return scores | {name: ALSO[name](*stored) for name in self.also}


def main(argv: Sequence[str]) -> int:
    """Score two folders, print the table, and write what is asked for.

    Args:
        argv: Arguments, without the name of the program.

    Returns:
        0; 1 if a pair could not be scored; 2 if none could; 130 after Ctrl-C.
    """
    arguments = build_parser().parse_args(argv)
    scorer = Scorer(PROTOCOLS[arguments.protocol], arguments.scale, arguments.also)
    try:
        scorer.check()
        restored, target = (
            open_source(str(root)) for root in (arguments.restored, arguments.target)
        )
        pairs = find_pairs(restored, target, parse_name_rule("same", arguments.filename_tmpl))
        places = list(zip(pairs.lq.tolist(), pairs.gt.tolist(), strict=True))
        evaluation, failed = evaluate(scorer, restored, target, places)
        if evaluation.rows:
            show(evaluation, arguments)
    except (OSError, ValueError, ImportError) as error:
        _complain(str(error))
        return NOTHING_POSSIBLE
    except KeyboardInterrupt:
        _complain("interrupted; nothing was written")
        return INTERRUPTED
    if not evaluation.rows:
        return NOTHING_POSSIBLE
    return SOME_FAILED if failed else ALL_SCORED


def evaluate(
    scorer: Scorer,
    restored: ImageSource,
    target: ImageSource,
    places: Sequence[tuple[int, int]],
) -> tuple[Evaluation, int]:
    """Score every pair, and complain about those that cannot be scored.

    Returns:
        The scores, and how many pairs have none.
    """
    evaluation = Evaluation(restored.root, scorer.protocol.name)
    failed = 0
    for first, second in places:
        name = restored.names[first]
        try:
            scores = scorer(restored.read(first), target.read(second))
        except (OSError, ValueError) as error:
            _complain(f"{name}: {error}")
            failed += 1
        else:
            evaluation.rows.append(Row(name, {}, scores))
    return evaluation, failed


def show(evaluation: Evaluation, arguments: argparse.Namespace) -> None:
    """Print the table, and write the files that are asked for."""
    table = tabulate(evaluation)
    protocol = PROTOCOLS[arguments.protocol]
    sys.stdout.write(f"{to_markdown(table) if arguments.markdown else to_text(table)}\n")
    sys.stdout.write(f"{protocol.name}: {protocol.description}\nas in {protocol.source}\n")
    if arguments.csv:
        write_text(arguments.csv, to_csv(evaluation))
    if arguments.json:
        facts = {"restored": str(arguments.restored), "target": str(arguments.target)}
        facts |= {"protocol": protocol.name, "scale": arguments.scale}
        facts |= {"description": protocol.description, "source": protocol.source}
        write_text(arguments.json, to_json(evaluation, facts))


def to_csv(evaluation: Evaluation) -> str:
    """One line per image, in full precision, each with the name of the protocol."""
    text = io.StringIO()
    header = ["protocol", "image", *evaluation.rows[0].output]
    writer = csv.DictWriter(text, header, lineterminator="\n")
    writer.writeheader()
    for row in evaluation.rows:
        writer.writerow({"protocol": evaluation.protocol, "image": row.image, **row.output})
    return text.getvalue()


def to_json(evaluation: Evaluation, facts: dict[str, Any]) -> str:
    """Means, what was left out of them because it is not finite, and all scores.

    JSON has no infinity: values that are not finite are texts.
    """
    names = evaluation.rows[0].output
    means = {name: mean(row.output[name] for row in evaluation.rows) for name in names}
    content = facts | {
        "mean": {name: _number(value) for name, (value, _) in means.items()},
        "left_out": {name: left_out for name, (_, left_out) in means.items()},
        "images": [
            {"image": row.image, **{name: _number(value) for name, value in row.output.items()}}
            for row in evaluation.rows
        ],
    }
    return json.dumps(content, indent=2) + "\n"


def build_parser() -> Parser:
    """The arguments of `semanir-score`."""
    parser = Parser(
        prog="semanir-score",
        description="Score the images of one folder against those of another, paired by name.",
        epilog="Protocols are explained in docs/metrics.md.",
    )
    parser.add_argument("restored", type=Path, help="folder of restored images, or *.lmdb")
    parser.add_argument("target", type=Path, help="folder of clean images, *.lmdb, or SIDD's *.mat")
    parser.add_argument(
        "--protocol", required=True, choices=PROTOCOLS, metavar="NAME", help=", ".join(PROTOCOLS)
    )
    parser.add_argument("--scale", type=int, help="of super-resolution: sr_y cuts so many pixels")
    parser.add_argument(
        "--filename-tmpl",
        default="{}",
        metavar="TEXT",
        help="name of a restored image, {} standing for that of its target: '{}_x4'",
    )
    parser.add_argument(
        "--also", nargs="+", default=[], choices=ALSO, help="scores that no protocol includes"
    )
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the scores of every image")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the scores and the means")
    return parser


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def _to_tensor(pixels: NDArray[Any]) -> Tensor:
    return torch.from_numpy(to_float(pixels).transpose(2, 0, 1).copy())


def _complain(line: str) -> None:
    sys.stderr.write(f"error: {line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
