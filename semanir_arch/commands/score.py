"""Scores the images of one folder against those of another, or without any other.

python -m semanir_arch.metrics RESTORED TARGET --protocol denoise_rgb
python -m semanir_arch.metrics PHOTOGRAPHS --also niqe
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
from semanir_arch.data.sources.image_source import ImageSource
from semanir_arch.data.sources.name_rules import parse_name_rule
from semanir_arch.data.sources.pairing import find_pairs
from semanir_arch.data.sources.source_opening import open_source
from semanir_arch.metrics.metric_names import ExtraMetric
from semanir_arch.metrics.protocols import PROTOCOLS, Protocol
from semanir_arch.metrics.registered import semanir_lpips
from semanir_arch.metrics.scores import Evaluation, Row, mean
from semanir_arch.report.table import tabulate, to_markdown, to_text
from semanir_arch.utils.atomic import write_text
from semanir_arch.utils.command_line import Exit, Parser, run_guarded
from semanir_arch.utils.errors import InputError, UserError, message_of

ALL_SCORED, SOME_FAILED = Exit.DONE, Exit.SOME_FAILED
NOTHING_POSSIBLE, INTERRUPTED = Exit.REFUSED, Exit.INTERRUPTED


def _niqe(restored: NDArray[np.uint8], target: NDArray[np.uint8] | None) -> float:
    # the only score that needs BasicSR
    from semanir_arch.models.naturalness import semanir_niqe

    return semanir_niqe(restored, target)


ALSO: dict[str, Callable[..., float]] = {"lpips": semanir_lpips, "niqe": _niqe}
"""Scores that no protocol includes, of 8-bit images (H, W, C) in BGR order and their targets."""

NEED_NO_TARGET = ("niqe",)
"""Metrics whose target may be None."""


@dataclass(frozen=True)
class Scorer:
    """Scoring of one file, with its target or without.

    Args:
        protocol: Protocol of PSNR, SSIM and their companions; None without targets.
        scale: Scale of super-resolution.
        also: Names in `ALSO`.
    """

    protocol: Protocol | None
    scale: int | None = None
    also: Sequence[str] = field(default=())

    def check(self) -> None:
        """Find out before the first image whether everything needed is there.

        Raises:
            ImportError: A package is missing.
            OSError: Weights are missing.
            ValueError: The scale is missing, or none.
        """
        if self.protocol is not None:
            self.protocol.border(self.scale)
        flat = np.zeros((64, 64, 3), np.uint8)
        for name in self.also:
            ALSO[name](flat, flat)

    def start(self, root: str) -> Evaluation:
        """An evaluation without rows.

        Args:
            root: Folder of the images.
        """
        extras = {name: ExtraMetric(name, name, {"type": f"semanir_{name}"}) for name in self.also}
        protocol = self.protocol.name if self.protocol else None
        return Evaluation(root, protocol, extras=extras, source="--also")

    def __call__(
        self, restored: NDArray[Any], target: NDArray[Any] | None = None
    ) -> dict[str, float]:
        """Score one image; gray and color images are compared as the target is.

        Args:
            restored: (H, W, C) as stored, uint8 or uint16, RGB order or gray, perhaps with alpha.
            target: The same; None for scores that need none.

        Raises:
            ValueError: They have different sizes.
        """
        if target is None:
            alone = _to_bgr(_to_tensor(_stored_colors(restored)))
            return {name: ALSO[name](alone, None) for name in self.also}
        reference = _to_tensor(_stored_colors(target))
        image = _to_tensor(convert_channels(Image(_stored_colors(restored)), reference.shape[0]))
        if image.shape != reference.shape:
            height, width = image.shape[1:]
            raise InputError(
                f"{width} x {height} pixels, but its target has "
                f"{reference.shape[2]} x {reference.shape[1]}"
            )
        scores = self.protocol.evaluate(image, reference, self.scale) if self.protocol else {}
        stored = [_to_bgr(x) for x in (image, reference)]
        return scores | {name: ALSO[name](*stored) for name in self.also}


def main(argv: Sequence[str]) -> int:
    """Score one folder or two, print the tables, and write what is asked for.

    Args:
        argv: Arguments, without the name of the program.

    Returns:
        0; 1 if an image could not be scored; 2 if none could; 130 after Ctrl-C.
    """
    arguments = parse_arguments(argv)
    return run_guarded(
        "score",
        lambda: _score(arguments),
        tell=_complain,
        interrupted="interrupted; nothing was written",
    )


def _score(arguments: argparse.Namespace) -> int:
    protocol = PROTOCOLS[arguments.protocol] if arguments.protocol else None
    scorer = Scorer(protocol, arguments.scale, arguments.also)
    scorer.check()
    restored = open_source(str(arguments.restored))
    target = None if arguments.target is None else open_source(str(arguments.target))
    places, notes = find_places(arguments, restored, target)
    evaluation, failed = evaluate(scorer, restored, target, places)
    if evaluation.rows:
        show(evaluation, arguments, notes)
    if not evaluation.rows:
        return NOTHING_POSSIBLE
    return SOME_FAILED if failed else ALL_SCORED


def find_places(
    arguments: argparse.Namespace, restored: ImageSource, target: ImageSource | None
) -> tuple[list[tuple[int, int]], list[str]]:
    """Find which image is compared with which.

    Two files are a pair whatever they are called. One file may be a part of a folder; of a folder
    only with `--part`.

    Args:
        arguments: Result of `parse_arguments`.
        restored: The images to score.
        target: Targets of these images; None for none.

    Returns:
        Places in both sources, that of the target 0 if there is none; and sentences on what has no
        partner.

    Raises:
        ValueError: Images have no partner, or two the same name.
    """
    if target is None:
        return [(index, 0) for index in range(len(restored))], []
    one_file = _is_image_file(arguments.restored)
    if one_file and _is_image_file(arguments.target):
        return [(0, 0)], []
    rule = parse_name_rule("same", arguments.filename_tmpl)
    partly = arguments.part or one_file
    try:
        pairs = find_pairs(restored, target, rule, partly=partly)
        if not len(pairs.lq):
            # says what is missing, and what is spelled alike
            find_pairs(restored, target, rule)
    except UserError as error:
        hint = "" if partly or "have no" not in str(error) else "; --part scores those that have"
        raise InputError(f"{error}{hint}") from error
    missing = {
        f"images of {restored.root} have no target": len(restored) - len(pairs.lq),
        f"targets in {target.root} have no restored image": len(target) - len(set(pairs.gt)),
    }
    everything = {"images": len(restored), "targets": len(target)}
    notes = [
        f"A part of the set: {count} of {everything[text.split()[0]]} {text}."
        for text, count in missing.items()
        if count
    ]
    return list(zip(pairs.lq.tolist(), pairs.gt.tolist(), strict=True)), notes


def evaluate(
    scorer: Scorer,
    restored: ImageSource,
    target: ImageSource | None,
    places: Sequence[tuple[int, int]],
) -> tuple[Evaluation, int]:
    """Score every image, and complain about those that cannot be scored.

    Returns:
        The scores, and how many images have none.
    """
    evaluation, failed = scorer.start(restored.root), 0
    are_unique = len(set(restored.names)) == len(restored)
    for first, second in places:
        # of a.png and a.jpg, the suffix too
        suffix = "" if are_unique else Path(restored.path(first)).suffix
        name = f"{restored.names[first]}{suffix}"
        try:
            clean = None if target is None else target.read(second)
            scores = scorer(restored.read(first), clean)
        except (UserError, OSError) as error:
            _complain(f"{name}: {message_of(error)}")
            failed += 1
        else:
            evaluation.rows.append(Row(name, {}, scores))
    return evaluation, failed


def show(evaluation: Evaluation, arguments: argparse.Namespace, notes: Sequence[str]) -> None:
    """Print the tables, and write the files that are asked for."""
    for table in tabulate(evaluation):
        sys.stdout.write(f"{to_markdown(table) if arguments.markdown else to_text(table)}\n")
    facts = {"restored": str(arguments.restored), "target": None, "notes": list(notes)}
    if arguments.target is not None:
        facts["target"] = str(arguments.target)
    facts |= {"protocol": arguments.protocol, "scale": arguments.scale}
    if arguments.protocol:
        protocol = PROTOCOLS[arguments.protocol]
        sys.stdout.write(f"{protocol.name}: {protocol.description}\nas in {protocol.source}\n")
        facts |= {"description": protocol.description, "source": protocol.source}
    for note in notes:
        sys.stdout.write(f"{note}\n")
    if arguments.csv:
        write_text(arguments.csv, to_csv(evaluation))
    if arguments.json:
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
    names = evaluation.names
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
        description="Score the images of one folder against those of another, paired by name, "
        "or two files. Without targets: --also niqe.",
        epilog="Protocols are explained in docs/metrics.md.",
    )
    parser.add_argument("restored", type=Path, help="folder of restored images, *.lmdb, or a file")
    parser.add_argument(
        "target",
        type=Path,
        nargs="?",
        help="folder of clean images, *.lmdb, SIDD's *.mat, or a file; none for --also niqe alone",
    )
    parser.add_argument("--protocol", choices=PROTOCOLS, metavar="NAME", help=", ".join(PROTOCOLS))
    parser.add_argument(
        "--scale", type=int, help="scale of super-resolution; sr_y cuts a border of so many pixels"
    )
    parser.add_argument(
        "--filename-tmpl",
        default="{}",
        metavar="TEXT",
        help="name of a restored image, with {} for its target's name: '{}_x4'",
    )
    parser.add_argument(
        "--part", action="store_true", help="leave out images without partner, and say how many"
    )
    parser.add_argument(
        "--also", nargs="+", default=[], choices=ALSO, help="scores that no protocol includes"
    )
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the scores of every image")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the scores and the means")
    return parser


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    if arguments.target is not None and arguments.protocol is None:
        parser.error("give a --protocol: it says how images are compared with their targets")
    if arguments.target is None:
        _check_alone(parser, arguments)
    return arguments


def _check_alone(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Without targets, only some scores and flags make sense."""
    given = [f"--protocol {arguments.protocol}"] if arguments.protocol else []
    given += [f"--also {name}" for name in arguments.also if name not in NEED_NO_TARGET]
    given += ["--part"] if arguments.part else []
    allowed = ", ".join(NEED_NO_TARGET)
    if given:
        parser.error(f"{given[0]} needs a target; without one: --also {allowed}")
    if not arguments.also:
        parser.error(f"give a target and a --protocol, or --also {allowed} for images alone")


def _is_image_file(path: Path) -> bool:
    return path.is_file() and path.suffix != ".mat"


def _stored_colors(pixels: NDArray[Any]) -> NDArray[Any]:
    """The colors of a file as they are, also those that its alpha hides."""
    return pixels[..., :-1] if pixels.shape[2] in (2, 4) else pixels


def _to_bgr(image: Tensor) -> NDArray[np.uint8]:
    """Image (C, H, W) as 8 bits, (H, W, C) in BGR order."""
    return to_integer(image.permute(1, 2, 0).numpy())[..., ::-1]


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def _to_tensor(pixels: NDArray[Any]) -> Tensor:
    return torch.from_numpy(to_float(pixels).transpose(2, 0, 1).copy())


def _complain(line: str) -> None:
    sys.stderr.write(f"error: {line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
