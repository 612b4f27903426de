"""Scores the images of one folder against those of another.

python -m semanir_arch.metrics RESTORED TARGET --protocol denoise_rgb
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from semanir_arch.data.image_io import read_image
from semanir_arch.data.name_rules import parse_name_rule
from semanir_arch.data.pairing import find_pairs
from semanir_arch.data.sources import ImageSource, open_source
from semanir_arch.metrics.protocols import PROTOCOLS, Protocol
from semanir_arch.models.evaluation import Evaluation, Row
from semanir_arch.report.table import tabulate, to_markdown, to_text

ALL_SCORED, SOME_FAILED, NOTHING_POSSIBLE = 0, 1, 2


def main(argv: Sequence[str]) -> int:
    """Score two folders and print the table.

    Args:
        argv: Arguments, without the name of the program.

    Returns:
        0; 1 if a pair could not be scored; 2 if none could.
    """
    arguments = parse_arguments(argv)
    protocol = PROTOCOLS[arguments.protocol]
    try:
        restored, target = (
            open_source(str(root)) for root in (arguments.restored, arguments.target)
        )
        pairs = find_pairs(restored, target, parse_name_rule("same", arguments.filename_tmpl))
    except (OSError, ValueError) as error:
        _complain(str(error))
        return NOTHING_POSSIBLE
    evaluation = Evaluation(str(arguments.restored), protocol.name)
    failed = 0
    for first, second in zip(pairs.lq.tolist(), pairs.gt.tolist(), strict=True):
        name = restored.names[first]
        try:
            scores = score(protocol, restored, first, target, second, arguments.scale)
        except (OSError, ValueError) as error:
            _complain(f"{name}: {error}")
            failed += 1
        else:
            evaluation.rows.append(Row(name, {}, scores))
    if not evaluation.rows:
        return NOTHING_POSSIBLE
    table = tabulate(evaluation)
    sys.stdout.write(f"{to_markdown(table) if arguments.markdown else to_text(table)}\n")
    sys.stdout.write(f"{protocol.name}: {protocol.source}\n")
    return SOME_FAILED if failed else ALL_SCORED


def score(
    protocol: Protocol,
    restored: ImageSource,
    first: int,
    target: ImageSource,
    second: int,
    scale: int | None,
) -> dict[str, float]:
    """Score one pair; gray and colour files are read as the target has them."""
    reference = _read(Path(target.path(second)), None)
    image = _read(Path(restored.path(first)), reference.shape[0])
    if image.shape != reference.shape:
        height, width = image.shape[1:]
        raise ValueError(
            f"{width} x {height} pixels, but its target has "
            f"{reference.shape[2]} x {reference.shape[1]}"
        )
    return protocol.evaluate(image, reference, scale)


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m semanir_arch.metrics",
        description="Score the images of one folder against those of another, paired by name.",
        epilog="Protocols are explained in docs/metrics.md.",
    )
    parser.add_argument("restored", type=Path, help="folder of restored images")
    parser.add_argument("target", type=Path, help="folder of clean images")
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
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    return parser.parse_args(argv)


def _read(path: Path, channels: int | None) -> Tensor:
    pixels = read_image(path, channels=channels)
    if pixels.shape[2] in (2, 4):
        # Transparency is no part of what is compared.
        pixels = pixels[..., :-1]
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())


def _complain(line: str) -> None:
    sys.stderr.write(f"error: {line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
