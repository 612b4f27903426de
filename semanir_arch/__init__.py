"""SemanIR, the Key-Graph Transformer, as a BasicSR-style toolkit for image restoration.

Importing the package is light: the public names below are loaded on first use. To register the
networks, data sets, models and metrics in BasicSR, import `semanir_arch.plugin`.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from semanir_arch.moved import Finder

if TYPE_CHECKING:
    from semanir_arch.archs import build_network
    from semanir_arch.restoring.restorer import Restorer, restore

__version__ = "0.2.0"

__all__ = ["Restorer", "__version__", "build_network", "restore"]

_HOMES = {
    "Restorer": "semanir_arch.restoring.restorer",
    "build_network": "semanir_arch.archs",
    "restore": "semanir_arch.restoring.restorer",
}


sys.meta_path.insert(0, Finder())  # before the finder of files, which knows only present names


def __getattr__(name: str) -> Any:
    """Loads a public name from its home on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
