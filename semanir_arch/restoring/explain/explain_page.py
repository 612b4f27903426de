"""The interactive page: click a pixel, see its keys in every stage.

One HTML file that holds everything, works from a folder and never asks the network for anything.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL.Image
from markupsafe import Markup

from semanir_arch.report.html import content_policy, load_template, read_page_file
from semanir_arch.restoring.explain.heat import PALETTE
from semanir_arch.restoring.explain.packed_keys import describe, pack
from semanir_arch.restoring.explain.pixel_grid import Grid
from semanir_arch.restoring.explain.semantics import StageSemantics

__all__ = ["Explanation", "make_page"]

_HERE = "semanir_arch.restoring.explain"

_LOSSLESS_PIXELS = 2**18


@dataclass(frozen=True)
class Explanation:
    """Contents of the page.

    Attributes:
        title: Title of the page.
        photo: The area of the photo that was explained, RGB (H, W, 3).
        corner: Position (y, x) of the area in the photo.
        pixel: The chosen pixel's (y, x) in the area; on the grid.
        grid: Pixels of the area with data.
        stages: Results of `key_semantics` for them.
        notes: Sentences below the photo.
        picture: Name of the picture beside the page, for browsers without scripts.
    """

    title: str
    photo: npt.NDArray[np.uint8]
    corner: tuple[int, int]
    pixel: tuple[int, int]
    grid: Grid
    stages: Sequence[StageSemantics]
    notes: Sequence[str]
    picture: str


def make_page(explanation: Explanation) -> str:
    """The page as text."""
    grid, (height, width) = explanation.grid, explanation.photo.shape[:2]
    area = {
        "top": explanation.corner[0],
        "left": explanation.corner[1],
        "height": height,
        "width": width,
    }
    y, x = explanation.pixel
    facts: dict[str, Any] = {
        **area,
        "rows": list(grid.rows),
        "columns": list(grid.columns),
        "chosen": [grid.rows.index(y), grid.columns.index(x)],
        "palette": base64.b64encode(PALETTE.tobytes()).decode("ascii"),
        "stages": describe(explanation.stages),
    }
    step = grid.rows.step
    styles = read_page_file("semanir_arch.report", "shared.css") + read_page_file(_HERE, "page.css")
    scripts = read_page_file(_HERE, "page.js")
    return load_template(_HERE, "page.html").render(
        title=explanation.title,
        area=area,
        spacing="Every pixel can be chosen."
        if step == 1
        else f"Every {step} pixels there is one that can be chosen; the nearest is taken.",
        notes=explanation.notes,
        picture=explanation.picture,
        facts=Markup(json.dumps(facts)),
        numbers=pack(explanation.stages),
        image=_encode(explanation.photo),
        styles=Markup(styles),
        scripts=Markup(scripts),
        policy=content_policy(styles, scripts),
    )


def _encode(photo: npt.NDArray[np.uint8]) -> str:
    buffer = io.BytesIO()
    lossless = photo.shape[0] * photo.shape[1] <= _LOSSLESS_PIXELS
    PIL.Image.fromarray(photo).save(buffer, "WEBP", lossless=lossless, quality=90, method=2)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
