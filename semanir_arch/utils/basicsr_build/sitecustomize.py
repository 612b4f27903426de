"""Lets the setup.py of BasicSR 1.4.2 run on Python 3.13; only its build ever imports this file.

The script reads its version with `exec(code)` followed by `locals()['__version__']`. Since Python
3.13 (PEP 667) a bare `exec` inside a function writes to a copy of the local names, so the script
ends with KeyError. Here `exec` writes through to the function that calls it, as it used to.
https://github.com/XPixelGroup/BasicSR/pull/766

Python imports a module of this name by itself when its folder is on PYTHONPATH;
`semanir_arch.utils.repairs` puts it there for the one process that builds BasicSR.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Mapping
from typing import Any

_exec = builtins.exec


def _exec_into_caller(
    source: Any,
    global_names: dict[str, Any] | None = None,
    local_names: Mapping[str, Any] | None = None,
    /,
    **keywords: Any,
) -> None:
    """Run code as the built-in `exec` does, but let a bare call reach the caller's names."""
    caller = sys._getframe(1)
    if global_names is None:
        global_names = caller.f_globals
        if local_names is None:
            local_names = caller.f_locals
    _exec(source, global_names, local_names, **keywords)


if sys.version_info >= (3, 13):
    setattr(builtins, "exec", _exec_into_caller)  # noqa: B010 - mypy refuses the plain assignment
