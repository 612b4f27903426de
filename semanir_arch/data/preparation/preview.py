"""A contact sheet: what a damage does to pictures, from weak to strong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from semanir_arch.data.degradations.damage import PreviewRow
from semanir_arch.data.degradations.damages import DAMAGES
from semanir_arch.data.files.image_io import load_image, to_float, to_integer, write_image
from semanir_arch.data.preparation.degrading import Degradation, parse_degradation
from semanir_arch.data.randomness import named_generator
from semanir_arch.data.sources.scanning import scan_images
from semanir_arch.utils.errors import InputError, UserError

__all__ = ["draw_sheet", "write_preview"]

Pixels = NDArray[Any]

_CELL = 192
# of which a cell shows the middle, so that wide damage has surroundings
_REGION = 448
_COLUMNS = 3
_GAP = 4
_LABEL = 20
_QUALITY = 82
_SUFFIXES = (".jpg", ".jpeg", ".png")


def write_preview(
    file: Path, source: Path, damage: str, given: Mapping[str, Any], *, seed: int = 0
) -> None:
    """Write the contact sheet of a damage.

    Args:
        file: File to write, JPEG or PNG.
        source: Picture, shown with three draws of the damage; or a folder, of which the first three
            pictures are shown.
        damage: A key of `DAMAGES`.
        given: Parameters of all rows; they replace those of the examples.
        seed: Another one draws other damage.

    Raises:
        FileNotFoundError: The source does not exist.
        ValueError: The file has another suffix, a parameter is wrong, or a picture is unreadable.
    """
    if file.suffix.lower() not in _SUFFIXES:
        raise InputError(f"{file}: a contact sheet is one of {', '.join(_SUFFIXES)}")
    paths = list(islice(scan_images(source), _COLUMNS)) if source.is_dir() else [source]
    pictures = [(path.name, _middle(load_image(path).color, _REGION)) for path in paths]
    columns = pictures if len(pictures) > 1 else pictures * _COLUMNS
    write_image(file, draw_sheet(columns, damage, given, seed=seed), quality=_QUALITY)


def draw_sheet(
    columns: Sequence[tuple[str, Pixels]], damage: str, given: Mapping[str, Any], *, seed: int = 0
) -> Pixels:
    """Draw the pictures as they are, and below them one row per example of the damage.

    Args:
        columns: Name and pixels (H, W, 1 or 3), uint8 or uint16, of each picture. A picture of
            the same name in the next column is damaged differently.
        damage: A key of `DAMAGES`.
        given: Parameters of all rows.
        seed: Seed of the draws.

    Returns:
        (H, W, 3) uint8. Results of another size are enlarged without interpolation.

    Raises:
        ValueError: A parameter is wrong, or a picture is not one that this damage takes.
    """
    rows = [("clean", [_cell(pixels, len(pixels)) for _, pixels in columns])]
    for label, degradation in _rows(damage, given):
        cells = []
        for column, (name, pixels) in enumerate(columns):
            try:
                damaged = degradation(pixels, named_generator(name, seed + column))
            except UserError as error:
                raise InputError(f"{name}: {error}") from error
            cells.append(_cell(damaged, len(pixels)))
        rows.append((label, cells))
    return np.concatenate([part for row in rows for part in (_caption(*row), _strip(row[1]))])


def _rows(damage: str, given: Mapping[str, Any]) -> list[tuple[str, Degradation]]:
    """Label and parameters of every row; rows that what is given makes equal appear once."""
    examples = DAMAGES[damage].examples or (PreviewRow(damage, {}),)
    rows: list[tuple[str, Degradation]] = []
    for example in examples:
        degradation = parse_degradation(damage, {**example.given, **given})
        if degradation not in [known for _, known in rows]:
            rows.append((example.label, degradation))
    if len(rows) == 1 and given:
        text = ", ".join(f"{name} {value}" for name, value in given.items())
        return [(text, rows[0][1])]
    return rows


def _middle(pixels: Pixels, side: int) -> Pixels:
    top, left = (max(0, length - side) // 2 for length in pixels.shape[:2])
    return np.ascontiguousarray(pixels[top : top + side, left : left + side])


def _cell(pixels: Pixels, height: int) -> Pixels:
    """The middle of a picture at the size that the clean one has, as 8-bit RGB of a cell."""
    if pixels.dtype != np.uint8:
        pixels = to_integer(to_float(pixels))
    factor = max(1, round(height / len(pixels)))
    pixels = pixels.repeat(factor, 0).repeat(factor, 1)
    if pixels.shape[2] == 1:
        pixels = pixels.repeat(3, 2)
    shown = _middle(pixels, _CELL)
    below, right = (_CELL - length for length in shown.shape[:2])
    return np.pad(shown, ((0, below), (0, right), (0, 0)), constant_values=255)


def _strip(cells: Sequence[Pixels]) -> Pixels:
    gap = np.full((_CELL, _GAP, 3), 255, np.uint8)
    parts = [part for cell in cells for part in (cell, gap)]
    return np.concatenate(parts[:-1], axis=1)


def _caption(label: str, cells: Sequence[Pixels]) -> Pixels:
    width = len(cells) * (_CELL + _GAP) - _GAP
    bar = np.full((_LABEL, width, 3), 255, np.uint8)
    cv2.putText(bar, label, (2, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    return bar
