"""`python -m semanir_arch.utils.convert`: stands for `semanir_arch.commands.convert`."""

from __future__ import annotations

import sys

from semanir_arch.bridges.converting import convert
from semanir_arch.commands.convert import main

__all__ = ["convert", "main"]

if __name__ == "__main__":
    sys.exit(main())
