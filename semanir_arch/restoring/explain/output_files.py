"""The files that `semanir-restore --explain` writes."""

from __future__ import annotations

import os
import re
from pathlib import Path

from semanir_arch.data.files.image_io import load_image, write_image
from semanir_arch.restoring.explain.explanation import PHASE, explain
from semanir_arch.restoring.restorer import Restorer
from semanir_arch.utils.atomic import write_text
from semanir_arch.utils.errors import InputError, MissingFileError

__all__ = ["explain_file", "read_pixel"]


def read_pixel(text: str) -> tuple[int, int]:
    """Read `X,Y`.

    Raises:
        ValueError: It is something else.
    """
    found = re.fullmatch(r"\s*(\d{1,9})\s*,\s*(\d{1,9})\s*", text)
    if found is None:
        raise InputError(
            f"--explain {text!r}: allowed: X,Y, the column and row of a pixel, such as 120,80"
        )
    return int(found.group(1)), int(found.group(2))


def explain_file(
    restorer: Restorer,
    source: Path,
    pixel: tuple[int, int],
    page: Path | None = None,
    *,
    overwrite: bool = False,
    bayer: str | None = None,
) -> tuple[Path, Path]:
    """Write a page and a picture of where a pixel looks; both or, on an error, none new.

    Args:
        restorer: Restorer whose network is explained.
        source: The photo.
        pixel: (x, y).
        page: The page, or a folder for NAME_explain.html; None for the current folder. The picture
            gets the same name with the suffix .png.
        overwrite: Whether files that exist are replaced.
        bayer: Phase of the mosaic that the network gets; only `PHASE` can be explained.

    Returns:
        Paths of the page and the picture.

    Raises:
        FileNotFoundError: No such photo, or no such folder for the page.
        ValueError: The photo cannot be read, the pixel lies outside, the network has nothing to
            explain or sees no mosaic, `page` has another suffix than .html, or a file exists or
            is the photo.
    """
    if bayer not in (None, PHASE):
        raise InputError(f"bayer={bayer!r}: --explain shows mosaics of phase {PHASE} alone")
    restorer.check_arguments(bayer=bayer)
    name = f"{source.stem}_explain.html"
    page = Path(name) if page is None else page / name if page.is_dir() else page
    if page.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"-o {page}: the name must end in .html")
    if not page.parent.is_dir():
        raise MissingFileError(f"-o {page}: no such folder, {page.parent}")
    picture = page.with_suffix(".png")
    if os.path.realpath(source) in map(os.path.realpath, (page, picture)):
        raise InputError(
            f"{source}: the page or its picture would overwrite the photo; name another -o"
        )
    for path in (page, picture):
        if path.exists() and not overwrite:
            raise InputError(f"{path} exists; --overwrite replaces it")
    text, drawn = explain(restorer, load_image(source).pixels, pixel, source.name, picture)
    write_image(picture, drawn)
    write_text(page, text)
    return page, picture
