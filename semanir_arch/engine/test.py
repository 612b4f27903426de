"""Test from an option file, and write the table of results."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from semanir_arch.engine.command_line import parse_arguments
from semanir_arch.engine.failures import supervised
from semanir_arch.engine.run import prepare_run, report_refusal
from semanir_arch.host import HostError
from semanir_arch.report.table import tabulate, to_text
from semanir_arch.report.writing import describe_run, write_report

__all__ = ["main"]

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells expect it."""


@supervised
def main(argv: Sequence[str]) -> int:
    """Run a test; what it writes is below results/.

    Args:
        argv: Command line without the name of the script.

    Returns:
        Exit code: 0 when finished, 2 when something given cannot be used, 130 after Ctrl-C.
    """
    arguments = parse_arguments(argv, "Test a restoration network.", is_train=False)
    try:
        run = prepare_run(arguments, is_train=False)
        model = run.test()
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted; no table was written.\n")
        return INTERRUPTED
    except (ValueError, FileNotFoundError, HostError) as error:
        return report_refusal(error)
    if model.opt["rank"] != 0:
        return 0
    # Models of BasicSR log their means and keep no scores.
    evaluations = list(getattr(model, "evaluations", {}).values())
    if evaluations:
        folder = Path(model.opt["path"]["results_root"]).relative_to(run.root)
        for evaluation in evaluations:
            sys.stdout.write(f"\n{to_text(tabulate(evaluation))}\n")
        write_report(folder, evaluations, describe_run(run.options))
        sys.stdout.write(f"\nWritten to {folder}/report.md, .csv and .json\n")
    return 0
