"""Print an option file as BasicSR will see it: merged, substituted, overridden and validated.

    python -m semanir_arch.utils.options options/train/... [--force_yml key:key=value ...]
    python -m semanir_arch.utils.options --table options      # all of them, as in docs/tasks.md

It is an entry point, like train.py, and may therefore look up what the layers above declare.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from semanir_arch.host import HostError
from semanir_arch.runs.prepare import complete_options, report_refusal
from semanir_arch.utils.options import overview, resolve, to_yaml


def main(argv: Sequence[str]) -> int:
    """Print the complete options or the table, or what is wrong with them.

    Args:
        argv: Command line without the name of the module.

    Returns:
        Exit code: 0, or 2 when the options cannot be used.
    """
    parser = argparse.ArgumentParser(
        prog="python -m semanir_arch.utils.options", description="Print complete options."
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("leaf", nargs="?", metavar="FILE", help="option file to complete")
    what.add_argument(
        "--table", type=Path, metavar="FOLDER", help="tasks and networks of all files, in Markdown"
    )
    parser.add_argument("--force_yml", nargs="+", default=[], metavar="KEY:KEY=VALUE")
    arguments = parser.parse_args(argv)
    try:
        if arguments.table:
            sys.stdout.write(overview(arguments.table))
            return 0
        is_train = "train" in resolve(arguments.leaf, arguments.force_yml).options
        resolved = complete_options(arguments.leaf, arguments.force_yml, is_train)
    except (ValueError, FileNotFoundError, HostError) as error:
        return report_refusal(error)
    sys.stdout.write(to_yaml(resolved.options))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
