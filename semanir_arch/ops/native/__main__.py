"""Build the native operators: `python -m semanir_arch.ops.native`."""

from __future__ import annotations

import argparse
import sys
import time

from semanir_arch.ops.native import build


def main() -> int:
    """Compile, and say where the library is.

    Returns:
        Exit code: 0 when it is there; 1 if it cannot be built, 0 also then with `--optional`.
    """
    parser = argparse.ArgumentParser(
        prog="python -m semanir_arch.ops.native",
        description="Compile the operators that make SemanIR faster on a CPU; see docs/ops.md.",
    )
    parser.add_argument(
        "--optional",
        action="store_true",
        help="end with 0 where it cannot be compiled: everything works without it, slower",
    )
    parser.add_argument("--quiet", action="store_true", help="without the compiler's commands")
    arguments = parser.parse_args()
    start = time.perf_counter()
    try:
        library = build(verbose=not arguments.quiet)
    except RuntimeError as error:
        sys.stderr.write(f"{error}\n")
        return 0 if arguments.optional else 1
    sys.stdout.write(f"ready after {time.perf_counter() - start:.0f} s: {library}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
