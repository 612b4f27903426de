"""`python -m semanir_arch` lists the commands; `python -m semanir_arch NAME ...` runs one."""

from __future__ import annotations

import sys

from semanir_arch.commands.launch import overview, run
from semanir_arch.utils.command_line import open_streams

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        open_streams()
        sys.stdout.write(overview())
    else:
        sys.exit(run(sys.argv[1], sys.argv[2:]))
