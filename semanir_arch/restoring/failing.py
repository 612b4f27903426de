"""One file that cannot be restored is told, and the others go on."""

from __future__ import annotations

import traceback
from pathlib import Path

from semanir_arch.restoring.reporter import Reporter, one_line
from semanir_arch.utils.command_line import FAULT
from semanir_arch.utils.errors import is_users
from semanir_arch.utils.memory import is_out_of_memory

__all__ = ["complain_of", "speaks_for_itself"]


def speaks_for_itself(error: Exception) -> bool:
    """Whether an error tells the user what to change; everything else is a fault of this package.

    Args:
        error: Error that was raised; errors of PyTorch and NumPy about memory say enough.
    """
    return is_users(error) or is_out_of_memory(error)


def complain_of(source: Path, error: Exception, reporter: Reporter) -> None:
    """Say in one line why a file failed; a fault of this package is shown with its traceback.

    Args:
        source: Named, unless the message names it.
        error: Error that was raised.
        reporter: Shows it.
    """
    reporter.finish()
    if isinstance(error, FileExistsError) and error.filename:
        text = f"{error.filename} exists; --overwrite replaces it"
    else:
        text = one_line(error) or type(error).__name__
    if not speaks_for_itself(error):
        for line in "".join(traceback.format_exception(error)).splitlines():
            reporter.complain(line)
        text = FAULT
    reporter.complain(text if text.startswith(f"{source}: ") else f"{source}: {text}")
