"""`python -m semanir_arch.doctor` says what is installed, what works, and repairs what it can."""

from __future__ import annotations

import sys

from semanir_arch.commands.doctor import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
