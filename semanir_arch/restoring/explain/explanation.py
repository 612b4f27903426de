"""From a photo and one of its pixels to the page and the picture that explain it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from semanir_arch.archs.base import KeySemanticNetwork
from semanir_arch.data.degradations.bayer import demosaic_linear, mosaic
from semanir_arch.restoring.explain.explain_page import Explanation, make_page
from semanir_arch.restoring.explain.packed_keys import BYTES_PER_KEY
from semanir_arch.restoring.explain.picture import draw_pixel
from semanir_arch.restoring.explain.pixel_grid import choose_area, choose_grid
from semanir_arch.restoring.explain.semantics import check_network, key_semantics, stages_of
from semanir_arch.restoring.pixels import Pixels, split
from semanir_arch.restoring.restorer import Restorer
from semanir_arch.restoring.visible import visible, with_visible_colors
from semanir_arch.utils.errors import InputError

__all__ = ["BUDGET", "PHASE", "explain"]

PHASE = "rggb"
"""Phase of the mosaics that demosaicking networks are given here."""

BUDGET = 6 * 2**20
"""Bytes of numbers in a page before compression; with the photo, a page stays below 10 MiB."""


def explain(
    restorer: Restorer,
    image: npt.NDArray[Any],
    pixel: tuple[int, int],
    name: str,
    picture: Path,
) -> tuple[str, npt.NDArray[np.uint8]]:
    """Draw where a pixel looks.

    Args:
        restorer: Restorer whose network is explained.
        image: Image of any layout and type that `Restorer.restore` takes.
        pixel: (x, y), counted from 0 at the upper left.
        name: Name of the image.
        picture: Future path of the picture, for the page to name it.

    Returns:
        The page, and the picture, RGB (H, W, 3).

    Raises:
        TypeError: As `Restorer.restore`.
        ValueError: As `Restorer.restore`; or the network has no dictionaries, or the pixel lies
            outside the image.
    """
    network = check_network(restorer.network)
    parts = with_visible_colors(split(image))
    x, y = pixel
    height, width = parts.size
    if not (0 <= x < width and 0 <= y < height):
        raise InputError(
            f"pixel {x},{y} lies outside the image of {width} x {height} pixels; allowed: "
            f"0,0 to {width - 1},{height - 1}"
        )
    rows, columns = choose_area((height, width), (y, x), network.size_multiple)
    inside = (y - rows.start, x - columns.start)
    photo = visible(image[rows, columns])
    grid = choose_grid((photo.shape[0], photo.shape[1]), inside, _cost(network), BUDGET)
    seen = _as_seen(restorer, parts.read_color(rows, columns))
    stages = key_semantics(network, seen.to(restorer.device), grid.pixels)
    explanation = Explanation(
        title=f"Where the pixels of {name} look",
        photo=photo,
        corner=(rows.start, columns.start),
        pixel=inside,
        grid=grid,
        stages=stages,
        notes=_notes(restorer, parts, (photo.shape[0], photo.shape[1])),
        picture=picture.name,
    )
    title = f"Where pixel {x}, {y} of {name} looks"
    return make_page(explanation), draw_pixel(photo, inside, stages, grid.index(*inside), title)


def _cost(network: KeySemanticNetwork) -> int:
    """Bytes that a pixel takes in the page before compression."""
    return BYTES_PER_KEY * sum(stage.window_size**2 for _, stage in stages_of(network))


def _as_seen(restorer: Restorer, color: Tensor) -> Tensor:
    """Input of the network for gray or RGB, shape (1, C, H, W), or for a mosaic."""
    count = restorer.network.in_chans
    if restorer.demosaics:
        plane = mosaic(color, PHASE) if color.shape[1] == 3 else color
        return demosaic_linear(plane).clamp(0, 1) if count == 3 else plane
    if color.shape[1] == count:
        return color
    return color.expand(-1, 3, -1, -1) if count == 3 else color[:, 1:2]


def _notes(restorer: Restorer, parts: Pixels, shown: tuple[int, int]) -> list[str]:
    """Notes on the difference between the photo and what is drawn."""
    notes = []
    if shown != parts.size:
        notes.append(
            f"Shown is a part of {shown[1]} x {shown[0]} pixels of the photo's "
            f"{parts.size[1]} x {parts.size[0]}, which the network saw by itself, as a tile."
        )
    if restorer.demosaics:
        notes.append(f"The network saw the photo as a Bayer mosaic ({PHASE}).")
    elif restorer.network.in_chans == 1 and parts.channels == 3:
        notes.append(
            "The network restores the channels of a color photo one by one; this is the green one."
        )
    return notes
