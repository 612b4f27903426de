"""`python -m semanir_arch` lists the commands; `python -m semanir_arch NAME ...` runs one."""

from __future__ import annotations

import sys

from semanir_arch.commands.launch import run, show_overview

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        show_overview()
    else:
        sys.exit(run(sys.argv[1], sys.argv[2:]))
