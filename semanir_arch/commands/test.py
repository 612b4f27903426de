"""Test from an option file: scores, beside those of papers, in the terminal and in results/."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from semanir_arch.report.measurement import Measurement
from semanir_arch.report.provenance import describe_computer
from semanir_arch.report.run_page import write_run_page
from semanir_arch.report.summary import Missing, Report
from semanir_arch.report.table import to_text
from semanir_arch.report.writing import image_tables, result_tables, write_report
from semanir_arch.runs import arguments as flags
from semanir_arch.runs.arithmetic import Arithmetic
from semanir_arch.runs.failures import refuse, supervised
from semanir_arch.runs.sweep import Sweep, prepare_sweep
from semanir_arch.runs.test_run import Testing
from semanir_arch.utils.command_line import Parser, run_guarded, spell_command
from semanir_arch.utils.signals import Stopped, raise_signals

__all__ = ["build_parser", "main"]

_SIGNALLED = 128


def build_parser() -> Parser:
    """The arguments of a test."""
    return flags.build_parser("Test a restoration network.", is_train=False)


@supervised
def main(argv: Sequence[str]) -> int:
    """Run a test; what it writes is below results/.

    Args:
        argv: Command line without the name of the script.

    Returns:
        Exit code: 0 when finished, 2 when something given cannot be used, 130 after Ctrl-C and 143
        after SIGTERM, with all scores so far recorded.
    """
    arguments = build_parser().parse_args(argv)
    command = spell_command(argv)
    start, rank = time.monotonic(), int(os.environ.get("RANK", "0"))

    def work() -> int:
        try:
            with raise_signals():
                sweep = prepare_sweep(arguments)
                testing = Testing(sweep, Path.cwd(), arguments.fresh)
                measurements = testing.test()
                # Models of BasicSR log their means and keep no scores.
                if measurements and testing.rank == 0:
                    seconds = time.monotonic() - start
                    report = _collect(sweep, measurements, command, seconds, testing.arithmetic)
                    _show(report, testing.folder)
        except Stopped as stopped:
            if rank == 0:
                sys.stderr.write(
                    f"\nInterrupted; the scores so far are kept. Continue with: {command}\n"
                )
            return _SIGNALLED + stopped.signal
        return 0

    return run_guarded("test", work, tell=refuse)


def _collect(
    sweep: Sweep,
    measurements: list[Measurement],
    command: str,
    seconds: float,
    arithmetic: Arithmetic,
) -> Report:
    options = sweep.points[0].run.options
    attention = {"attention": ", ".join(arithmetic.backends)} if arithmetic.backends else {}
    differences = dict.fromkeys(
        f"The weights were saved from another network: {difference}."
        for point in sweep.points
        if point.weights
        for difference in point.weights.differences
    )
    return Report(
        name=sweep.name,
        command=command,
        measurements=measurements,
        missing=[
            Missing(name, point.label, reason)
            for point in sweep.points
            for name, reason in point.missing.items()
        ],
        notes=list(differences),
        options=options,
        computer=describe_computer(arithmetic.device) | attention,
        seconds=seconds,
    )


def _show(report: Report, folder: Path) -> None:
    """Print the tables and write the files."""
    for table in [*image_tables(report), *result_tables(report)]:
        sys.stdout.write(f"\n{to_text(table)}\n")
    for note in report.all_notes():
        sys.stdout.write(f"\n{note}\n")
    write_report(folder, report)
    write_run_page(folder / "report.html", report)
    shown = folder.relative_to(Path.cwd())
    sys.stdout.write(f"\nWritten to {shown}/report.md, .csv, .json and .html\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
