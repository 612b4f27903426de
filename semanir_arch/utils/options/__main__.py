"""Print an option file as BasicSR will see it: merged, substituted, overridden and validated.

    python -m semanir_arch.utils.options options/train/... [--force_yml key:key=value ...]

It is an entry point, like train.py, and may therefore look up what the layers above declare.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from semanir_arch.engine.run import complete_options, report_refusal
from semanir_arch.host import HostError
from semanir_arch.utils.options import resolve, to_yaml


def main(argv: Sequence[str]) -> int:
    """Print the complete options, or what is wrong with them.

    Args:
        argv: Command line without the name of the module.

    Returns:
        Exit code: 0, or 2 when the options cannot be used.
    """
    parser = argparse.ArgumentParser(
        prog="python -m semanir_arch.utils.options", description="Print complete options."
    )
    parser.add_argument("leaf", metavar="FILE")
    parser.add_argument("--force_yml", nargs="+", default=[], metavar="KEY:KEY=VALUE")
    arguments = parser.parse_args(argv)
    try:
        is_train = "train" in resolve(arguments.leaf, arguments.force_yml).options
        resolved = complete_options(arguments.leaf, arguments.force_yml, is_train)
    except (ValueError, HostError) as error:
        return report_refusal(error)
    sys.stdout.write(to_yaml(resolved.options))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
