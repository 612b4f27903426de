"""The picture of one pixel: the photo, and for each stage the window with its keys.

As Figure 4 of SemanIR (arXiv 2405.20008), for every stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from semanir_arch.restoring.explain.heat import PALETTE, levels
from semanir_arch.restoring.explain.semantics import Region, StageSemantics

__all__ = ["draw_pixel"]

_OVERVIEW, _PANEL, _GAP, _TEXT = 560, 240, 16, 14
_PER_ROW = 4
_INK, _PAPER, _MARK = (26, 29, 35), (255, 255, 255), (0, 229, 255)
_MARGIN = 0.25
_DIMMED = 0.5


@dataclass(frozen=True)
class _Box:
    """Part of a photo: pixel edges."""

    left: int
    top: int
    right: int
    bottom: int

    def inside(self, width: int, height: int) -> _Box:
        return _Box(
            max(self.left, 0), max(self.top, 0), min(self.right, width), min(self.bottom, height)
        )


def draw_pixel(
    photo: npt.NDArray[np.uint8],
    pixel: tuple[int, int],
    stages: Sequence[StageSemantics],
    index: int,
    title: str,
) -> npt.NDArray[np.uint8]:
    """Draw where one pixel looks in every stage.

    Kept keys are colored by their similarity, from dark (lowest of the window) to bright. The rest
    of the photo is dimmed.

    Args:
        photo: RGB (H, W, 3).
        pixel: Position (y, x) of the pixel.
        stages: Results of `key_semantics`.
        index: Place of the pixel among those that were asked for.
        title: Text of the first line.

    Returns:
        RGB picture.
    """
    height, width = photo.shape[:2]
    zoom = min(_OVERVIEW / width, _OVERVIEW / height)
    overview = (max(1, round(width * zoom)), max(1, round(height * zoom)))
    lines = -(-len(stages) // _PER_ROW)
    line_height = _PANEL + 3 * _TEXT + _GAP
    columns = min(len(stages), _PER_ROW)
    size = (
        _GAP + _OVERVIEW + _GAP + columns * (_PANEL + _GAP),
        3 * _GAP + _TEXT + max(overview[1], lines * line_height),
    )
    canvas = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(_TEXT)
    draw.text((_GAP, _GAP), title, fill=_INK, font=font)
    top = 2 * _GAP + _TEXT
    canvas.paste(Image.fromarray(photo).resize(overview), (_GAP, top))
    for number, stage in enumerate(stages):
        row = int(stage.rows[index])
        region = stage.region(row)
        box = _box_of(stage, region)
        _outline(draw, box.inside(width, height), (_GAP, top), zoom)
        left = 2 * _GAP + _OVERVIEW + number % _PER_ROW * (_PANEL + _GAP)
        below = top + number // _PER_ROW * line_height
        canvas.paste(_panel(photo, stage, region, box, row), (left, below))
        for place, text in enumerate(_caption(stage, region, box, (height, width))):
            draw.text((left, below + _PANEL + 2 + place * _TEXT), text, fill=_INK, font=font)
    y, x = ((place + 0.5) * zoom for place in pixel)
    draw.ellipse((_GAP + x - 4, top + y - 4, _GAP + x + 4, top + y + 4), outline=_MARK, width=2)
    return np.asarray(canvas)


def _panel(
    photo: npt.NDArray[np.uint8], stage: StageSemantics, region: Region, box: _Box, row: int
) -> Image.Image:
    """A window and its surroundings, enlarged."""
    height, width = photo.shape[:2]
    scale = stage.scale
    margin = round(_MARGIN * stage.window_size * scale)
    seen = _Box(
        box.left - margin, box.top - margin, box.right + margin, box.bottom + margin
    ).inside(width, height)
    painted = (photo * _DIMMED).astype(np.uint8)
    colors = PALETTE[levels(region, "similarity")]
    part = box.inside(width, height)
    ys = np.arange(part.top, part.bottom) // scale - region.top
    xs = np.arange(part.left, part.right) // scale - region.left
    kept = region.kept[np.ix_(ys, xs)]
    window = painted[part.top : part.bottom, part.left : part.right]
    original = photo[part.top : part.bottom, part.left : part.right]
    mixed = (0.3 * original + 0.7 * colors[np.ix_(ys, xs)]).astype(np.uint8)
    window[kept] = mixed[kept]
    zoom = _PANEL / max(seen.right - seen.left, seen.bottom - seen.top)
    cut = Image.fromarray(painted[seen.top : seen.bottom, seen.left : seen.right])
    enlarged = cut.resize(
        (max(1, round(cut.width * zoom)), max(1, round(cut.height * zoom))),
        Image.Resampling.NEAREST,
    )
    panel = Image.new("RGB", (_PANEL, _PANEL), _PAPER)
    panel.paste(enlarged)
    draw = ImageDraw.Draw(panel)
    origin = (-seen.left * zoom, -seen.top * zoom)
    _outline(draw, part, origin, zoom)
    y, x = stage.tokens[row].tolist()
    token = _Box(x * scale, y * scale, (x + 1) * scale, (y + 1) * scale)
    _outline(draw, token, origin, zoom, color=_MARK)
    return panel


def _box_of(stage: StageSemantics, region: Region) -> _Box:
    height, width = region.kept.shape
    return _Box(
        region.left * stage.scale,
        region.top * stage.scale,
        (region.left + width) * stage.scale,
        (region.top + height) * stage.scale,
    )


def _caption(
    stage: StageSemantics, region: Region, box: _Box, size: tuple[int, int]
) -> tuple[str, str, str]:
    side = stage.window_size
    rows = -(-min(box.bottom, size[0]) // stage.scale) - region.top
    columns = -(-min(box.right, size[1]) // stage.scale) - region.left
    hidden = int(region.kept.sum() - region.kept[:rows, :columns].sum())
    return (
        f"{stage.name}, 1 token = {stage.scale} px",
        f"{int(region.kept.sum())} of {side * side} tokens kept (k {stage.k})",
        f"{hidden} of them in the padding" if hidden else "",
    )


def _outline(
    draw: ImageDraw.ImageDraw,
    box: _Box,
    origin: tuple[float, float],
    zoom: float,
    color: tuple[int, int, int] = _PAPER,
) -> None:
    """Draw the edge of a box that is enlarged `zoom` times, on black so that it always shows."""
    corners = (
        origin[0] + box.left * zoom,
        origin[1] + box.top * zoom,
        origin[0] + box.right * zoom - 1,
        origin[1] + box.bottom * zoom - 1,
    )
    if corners[2] <= corners[0] or corners[3] <= corners[1]:
        return
    draw.rectangle(corners, outline=(0, 0, 0), width=3)
    draw.rectangle(corners, outline=color, width=1)
