"""`semanir-data`: the scripts of datasets_prep, also where there is no clone."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence

from semanir_arch.utils.command_line import Exit, Parser, run_guarded
from semanir_arch.utils.shipped import shipped_folder

__all__ = ["SCRIPTS", "build_parser", "main"]

SCRIPTS = {
    "prepare": ("prepare.py", "say where data sets come from, and lay out their archives"),
    "patches": ("extract_patches.py", "cut images into patches for training"),
    "degrade": ("generate_lq.py", "make degraded copies of clean images"),
    "check": ("check.py", "look for damaged, unpaired and leaked images"),
    "submission": ("write_submission.py", "bundle results for the servers of DND and SIDD"),
}
"""Script and purpose of each job."""


def build_parser() -> Parser:
    """The arguments of `semanir-data`; those of the job belong to its script."""
    jobs = "\n".join(f"  {name:11} {purpose}" for name, (_, purpose) in SCRIPTS.items())
    parser = Parser(
        prog="semanir-data",
        usage="%(prog)s JOB [argument ...]",
        description=f"Prepare data sets.\n\n{jobs}",
        epilog="`semanir-data JOB --help` explains a job; see docs/data.md",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("job", choices=[*SCRIPTS], metavar="JOB", help=", ".join(SCRIPTS))
    parser.add_argument("argument", nargs="*", help="of the job")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a script in a process of its own.

    Args:
        argv: The job and its arguments; None for those of the process.

    Returns:
        The exit code of the script.
    """
    given = [*(sys.argv[1:] if argv is None else argv)]
    job = build_parser().parse_args(given[:1]).job
    return run_guarded("semanir-data", lambda: _run(SCRIPTS[job][0], given[1:]))


def _run(script: str, arguments: Sequence[str]) -> int:
    command = [sys.executable, str(shipped_folder("datasets_prep") / script), *arguments]
    process = subprocess.Popen(command)
    while True:
        try:
            code = process.wait()
        except KeyboardInterrupt:
            # the script got it as well; it ends by itself, and says how it went
            continue
        return code if code >= 0 else Exit.INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
