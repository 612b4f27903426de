"""Build the native operators: `python -m semanir_arch.ops.native`."""

from __future__ import annotations

import sys
import time

from semanir_arch.ops.native import build


def main() -> None:
    """Compile, and say where the library is."""
    start = time.perf_counter()
    library = build(verbose=True)
    sys.stdout.write(f"ready after {time.perf_counter() - start:.0f} s: {library}\n")


if __name__ == "__main__":
    main()
