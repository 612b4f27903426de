"""Train from an option file."""

from __future__ import annotations

from collections.abc import Sequence

from semanir_arch.engine.command_line import parse_arguments
from semanir_arch.engine.run import explain_interrupt, prepare_run, report_refusal
from semanir_arch.host import HostError

__all__ = ["main"]


def main(argv: Sequence[str]) -> int:
    """Run a training; what it writes is below experiments/ and tb_logger/.

    Args:
        argv: Command line without the name of the script.

    Returns:
        Exit code: 0 when finished, 2 when something given cannot be used, 130 after Ctrl-C.
    """
    arguments = parse_arguments(argv, description="Train a restoration network.")
    name = ""
    try:
        pipeline, options = prepare_run(arguments, is_train=True)
        name = options["name"]
        pipeline.train()
    except KeyboardInterrupt:
        return explain_interrupt(argv, name)
    except (ValueError, FileNotFoundError, HostError) as error:
        return report_refusal(error)
    return 0
