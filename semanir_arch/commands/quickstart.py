"""`semanir-quickstart`: patches, a short training, a test, and a restored photograph.

It types the same commands as a user would, and shows them.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec

from semanir_arch.utils.command_line import Exit, Parser, run_guarded
from semanir_arch.utils.errors import MissingPackageError
from semanir_arch.utils.repairs import COMMAND as REPAIR

__all__ = ["build_parser", "main", "steps"]

NAME = "SemanIR_tiny_denoising"
PHOTO = "chelsea"
HELD_OUT = (PHOTO, "coffee")
NO_PHOTOGRAPHS = ("ihc", "retina", "hubble_deep_field")
"""Images of scikit-image that no camera for people took."""


def build_parser() -> Parser:
    """The arguments of `semanir-quickstart`."""
    parser = Parser(
        prog="semanir-quickstart",
        description="Train a small denoising network on scikit-image's photographs, test it on two "
        "that it never saw, and restore a noisy one. Minutes on a CPU. Everything is written below "
        "datasets/, experiments/ and results/ of this folder. Run it again to continue.",
    )
    parser.add_argument(
        "--force_yml",
        nargs="+",
        default=[],
        metavar="KEY:KEY=VALUE",
        help="change options of the training; those of network_g hold for the test too",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run all steps; the first that fails ends it.

    Args:
        argv: Arguments; None for those of the process.

    Returns:
        0, or the exit code of the step that failed.
    """
    arguments = build_parser().parse_args(argv)
    return run_guarded("semanir-quickstart", lambda: _run(arguments.force_yml))


def steps() -> list[tuple[str, str]]:
    """Steps to run: a title, empty if the step belongs to the one before, and a command line."""
    images = "datasets/quickstart"
    return [
        (
            "training patches from scikit-image's photographs",
            f"data patches --input skimage --output {images}/train --size 128 --step 96 "
            f"--exclude {' '.join(NO_PHOTOGRAPHS)} "
            f"--holdout {' '.join(HELD_OUT)} --holdout-output {images}/test",
        ),
        ("training", f"train -opt options/quickstart/{NAME}.yml --auto_resume"),
        (
            "testing on two photographs that training never saw",
            f"test -opt options/quickstart/{NAME}.yml",
        ),
        (
            "restoring one noisy photograph",
            "data degrade --damage noise --sigma 25 --seed 0 "
            f"{images}/test/{PHOTO}.png {images}/noisy/{PHOTO}.png",
        ),
        (
            "",
            f"restore {images}/noisy/{PHOTO}.png -o results/quickstart "
            f"--weights experiments/{NAME}/models/net_g_latest.pth --compare --overwrite",
        ),
    ]


def _run(overrides: Sequence[str]) -> int:
    if find_spec("basicsr") is None:
        raise MissingPackageError(f"training needs BasicSR, which is not installed: {REPAIR}")
    todo = steps()
    count, number = sum(bool(title) for title, _ in todo), 0
    for title, line in todo:
        if title:
            number += 1
            _say(f"== {number}/{count}  {title}")
        command = shlex.split(line)
        # a test has none of the options of a training
        fitting = [
            text for text in overrides if command[0] == "train" or text.startswith("network_g:")
        ]
        if fitting and command[0] in ("train", "test"):
            command += ["--force_yml", *fitting]
        _say(f"$ semanir-{shlex.join(command)}")
        process = subprocess.run([sys.executable, "-m", "semanir_arch", *command], check=False)
        if process.returncode != 0:
            _say(f"== stopped: step {number} ended with exit code {process.returncode}; see above")
            return process.returncode if process.returncode > 0 else Exit.INTERRUPTED
    _say(f"== done: table        results/{NAME}/report.md")
    _say(f"         before/after results/quickstart/{PHOTO}_compare.png")
    return Exit.DONE


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
