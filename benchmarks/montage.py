"""Pictures before and after, side by side, to be looked at: one row per picture.

    python benchmarks/montage.py sheet.png datasets/test/Real_noreference/noise/*.png --tasks photo
    python benchmarks/montage.py sheet.png scan.jpg@120,40 --tasks denoise photo --side 200

The whole picture is restored; shown is a square of it, the middle or the one that begins at @X,Y,
twice as large. Test pictures may not be passed on: keep the sheet to yourself.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from semanir_arch.data.files.image_io import load_image, write_image
from semanir_arch.restoring.restorer import Restorer

Picture = NDArray[np.uint8]

ZOOM, MARGIN, TITLE = 2, 6, 22
"""Times enlarged, pixels between squares, and pixels for the text above them."""


def main() -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description="A sheet of pictures before and after.")
    parser.add_argument("sheet", type=Path, help="PNG or JPEG file to write")
    parser.add_argument("pictures", nargs="+", help="files, perhaps with @X,Y behind them")
    parser.add_argument("--tasks", nargs="+", default=["photo"], help="a column for each")
    parser.add_argument("--weights", nargs="*", type=Path, default=[], help="a column for each")
    parser.add_argument("--side", type=int, default=160, help="of the square that is shown")
    parser.add_argument("--columns", type=int, default=2, help="pictures side by side")
    arguments = parser.parse_args()
    restorers = {task: Restorer(task=task) for task in arguments.tasks}
    restorers |= {path.stem: Restorer(path) for path in arguments.weights}
    rows = [row(text, restorers, arguments.side) for text in arguments.pictures]
    rows += [np.full_like(rows[0], 255)] * (-len(rows) % arguments.columns)
    columns = [np.concatenate(rows[i :: arguments.columns]) for i in range(arguments.columns)]
    write_image(arguments.sheet, np.concatenate(columns, axis=1))


def row(text: str, restorers: dict[str, Restorer], side: int) -> Picture:
    """One picture: as it came, and after each network."""
    name, _, place = text.partition("@")
    image = load_image(name).color
    height, width = image.shape[:2]
    left, top = (
        map(int, place.split(","))
        if place
        else ((width - min(width, side)) // 2, (height - min(height, side)) // 2)
    )
    squares = [titled(Path(name).name, cut(image, top, left, side))]
    for title, restorer in restorers.items():
        squares.append(titled(title, cut(restorer.restore(image), top, left, side)))
    return np.concatenate(squares, axis=1)


def cut(image: Picture, top: int, left: int, side: int) -> Picture:
    """A square in color, enlarged without smoothing; white where the picture ends."""
    square = np.full((side, side, 3), 255, np.uint8)
    part = image[top : top + side, left : left + side]
    square[: part.shape[0], : part.shape[1]] = part
    return square.repeat(ZOOM, 0).repeat(ZOOM, 1)


def titled(title: str, square: Picture) -> Picture:
    """The square with its name above it and a margin around it."""
    framed = np.pad(square, ((TITLE, MARGIN), (MARGIN, 0), (0, 0)), constant_values=255)
    place = (MARGIN, TITLE - 7)
    cv2.putText(framed, title, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    return framed


if __name__ == "__main__":
    main()
