"""A local web page that restores photos: `semanir-restore --serve`."""

from __future__ import annotations

import importlib.util

from semanir_arch.utils.errors import InputError

__all__ = ["check_installed"]

_NEEDED = ("starlette", "uvicorn")


def check_installed() -> None:
    """Make sure that the packages are there which only the page needs.

    Raises:
        ValueError: Naming those that are missing, and how to install them.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"--serve needs {' and '.join(missing)}: pip install 'semanir-arch[serve]'"
        )
