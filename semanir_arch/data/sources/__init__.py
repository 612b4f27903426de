"""Where images come from: folders, LMDBs, MATLAB files; which image belongs to which."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from semanir_arch.data.sources.image_source import ImageSource
    from semanir_arch.data.sources.source_opening import open_source

__all__ = ["ImageSource", "open_source"]

_HOMES = {"ImageSource": "base", "FolderSource": "base", "open_source": "opening"}


def __getattr__(name: str) -> Any:
    """Loads a public name on first use: sources read image files, whose module lists folders."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
