"""Folders that lie beside the package in a clone, and inside it in an installation."""

from __future__ import annotations

from pathlib import Path

__all__ = ["find_option_file", "shipped_folder"]

_PACKAGE = Path(__file__).parents[1]


def shipped_folder(name: str) -> Path:
    """Where `options` or `datasets_prep` is.

    Args:
        name: Name of the folder.

    Raises:
        FileNotFoundError: It is in neither place.
    """
    for parent in (_PACKAGE, _PACKAGE.parent):
        if (parent / name).is_dir():
            return parent / name
    raise FileNotFoundError(
        f"{_PACKAGE / name}: no such folder; this installation of semanir-arch is incomplete, "
        "install it again"
    )


def find_option_file(given: str) -> str:
    """A path of the user or, where there is no such file, the option file of that name we ship.

    Args:
        given: As written on the command line, for example `options/train/denoising/X.yml`; the
            leading `options/` may be left out.

    Returns:
        The path of a file, or `given` where there is none.
    """
    if Path(given).exists() or Path(given).is_absolute():
        return given
    try:
        file = shipped_folder("options") / Path(given.removeprefix("options/"))
    except FileNotFoundError:
        return given
    return str(file) if file.is_file() else given
