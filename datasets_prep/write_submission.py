"""Bundle restored images for the servers of DND and SIDD (docs/metrics.md).

    python datasets_prep/write_submission.py DND/info.mat restored submission
    python datasets_prep/write_submission.py SIDD/BenchmarkNoisyBlocksSrgb.mat restored submission

Images are named like the noisy blocks: 0001_01 (photograph and box, from 1) for DND, 0000_0000
(scene and block, from 0) for SIDD. What is uploaded lies in submission/bundled afterwards. A test
of a network on these sets (`SubmissionDataset`) writes the same by itself.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from semanir_arch.data.datasets.submissions import Submission
from semanir_arch.data.files.image_io import Image, convert_channels, to_float
from semanir_arch.data.preparation.parallel_jobs import Progress, run_script, say
from semanir_arch.data.sources.name_rules import parse_name_rule
from semanir_arch.data.sources.pairing import find_pairs
from semanir_arch.data.sources.source_opening import open_source


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_script(partial(_run, _parse(argv)))


def _run(arguments: argparse.Namespace) -> list[str]:
    restored, noisy = open_source(arguments.restored), open_source(arguments.noisy)
    submission = Submission(noisy, arguments.output)
    pairs = find_pairs(restored, noisy, parse_name_rule("same", arguments.template))
    progress = Progress()
    for count, (index, block) in enumerate(zip(pairs.lq.tolist(), pairs.gt.tolist(), strict=True)):
        pixels = convert_channels(Image(restored.read(index)), 3)
        submission.add(noisy.names[block], to_float(pixels))
        progress(f"{count + 1} of {len(noisy)} blocks")
    for file in submission.bundle(arguments.method, arguments.seconds):
        say(str(file))
    return []


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Bundle restored images for DND's or SIDD's server."
    )
    parser.add_argument("noisy", type=Path, help="info.mat of DND, or a *.mat of SIDD's blocks")
    parser.add_argument("restored", type=Path, help="folder of images named like the blocks")
    parser.add_argument("output", type=Path, help="folder of the submission")
    parser.add_argument(
        "--template",
        default="{}",
        help="name of an image, with {} for the block's name (default: {})",
    )
    parser.add_argument("--method", default="", help="name of the method; SIDD's file holds it")
    parser.add_argument(
        "--seconds", type=float, default=0.0, help="time for all blocks; SIDD's file holds it"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
