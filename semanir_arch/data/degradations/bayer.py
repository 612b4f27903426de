"""Color filter arrays: mosaics of color images, and the linear way back.

A sensor with a Bayer filter records one color per pixel, in cells of 2 x 2. The phase names the
cell row by row: `rggb` has red and green above green and blue. Rows and columns count from the
image's first pixel, so a crop keeps its phase where it starts at even positions; elsewhere
`shifted_phase` tells the new one.
"""

from __future__ import annotations

from functools import lru_cache
from types import EllipsisType

import torch
import torch.nn.functional as F
from torch import Tensor

from semanir_arch.data.degradations.damage import DrawnDamage
from semanir_arch.data.degradations.declaration import Choice
from semanir_arch.utils.errors import InputError

PHASES = ("rggb", "bggr", "grbg", "gbrg")
"""The four places that the cell of 2 x 2 pixels may start at."""

PHASE = Choice("rggb", PHASES, "colors of the first two rows and columns")
"""The one setting of a mosaic."""

REACH = 2
"""Pixels around a place from which `demosaic_linear` takes its value."""

# The filters of the paper, times 8: what a color at a place is made of.
_GREEN = (
    (0, 0, -1, 0, 0),
    (0, 0, 2, 0, 0),
    (-1, 2, 4, 2, -1),
    (0, 0, 2, 0, 0),
    (0, 0, -1, 0, 0),
)
# red or blue at green, neighbors of that color to the left and right
_BESIDE = (
    (0, 0, 0.5, 0, 0),
    (0, -1, 0, -1, 0),
    (-1, 4, 5, 4, -1),
    (0, -1, 0, -1, 0),
    (0, 0, 0.5, 0, 0),
)
# red at blue, blue at red
_OPPOSITE = (
    (0, 0, -1.5, 0, 0),
    (0, 2, 0, 2, 0),
    (-1.5, 0, 6, 0, -1.5),
    (0, 2, 0, 2, 0),
    (0, 0, -1.5, 0, 0),
)


def mosaic(image: Tensor, phase: str = "rggb") -> Tensor:
    """Record an image through a Bayer filter.

    Args:
        image: (..., 3, H, W) RGB, any type.
        phase: Bayer phase, one of `PHASES`.

    Returns:
        (..., 1, H, W).

    Raises:
        ValueError: The image is not RGB, or the phase is unknown.
    """
    _check(image, 3)
    plane = image[..., 1:2, :, :].clone()
    for color, channel in (("r", 0), ("b", 2)):
        row, column = _place(phase, color)
        plane[..., 0, row::2, column::2] = image[..., channel, row::2, column::2]
    return plane


def pack(plane: Tensor, phase: str = "rggb") -> Tensor:
    """A mosaic as four planes of half the size: red, green of red's rows, green of blue's, blue.

    Args:
        plane: (..., 1, H, W), H and W even.
        phase: Bayer phase, one of `PHASES`.

    Returns:
        (..., 4, H / 2, W / 2).

    Raises:
        ValueError: A side is odd, there are several channels, or the phase is unknown.
    """
    _check(plane, 1)
    if plane.shape[-2] % 2 or plane.shape[-1] % 2:
        raise InputError(f"sides must be even to be packed, received {tuple(plane.shape[-2:])}")
    return torch.stack([plane[..., 0, row::2, col::2] for row, col in _places(phase)], dim=-3)


def unpack(planes: Tensor, phase: str = "rggb") -> Tensor:
    """The mosaic of which `pack` made these planes (..., 4, H, W): (..., 1, 2 H, 2 W).

    Raises:
        ValueError: There are not four planes, or the phase is unknown.
    """
    _check(planes, 4)
    *batch, _, height, width = planes.shape
    plane = planes.new_empty((*batch, 1, 2 * height, 2 * width))
    for channel, (row, column) in enumerate(_places(phase)):
        plane[..., 0, row::2, column::2] = planes[..., channel, :, :]
    return plane


def demosaic_linear(plane: Tensor, phase: str = "rggb") -> Tensor:
    """Gradient-corrected linear interpolation, the method of MATLAB's `demosaic`.

    H. S. Malvar, L. He, R. Cutler, High-Quality Linear Interpolation for Demosaicing of
    Bayer-Patterned Color Images, ICASSP 2004. Tables call it "Matlab".

    Args:
        plane: (..., 1, H, W) mosaic, float, any range; sides of 3 pixels or more. Borders are
            mirrored without repeating the edge, which keeps the phase.
        phase: Bayer phase, one of `PHASES`.

    Returns:
        (..., 3, H, W) RGB, neither clipped nor rounded.

    Raises:
        ValueError: There are several channels, a side is too short, or the phase is unknown.
    """
    _check(plane, 1)
    if min(plane.shape[-2:]) <= REACH:
        raise InputError(f"sides must be above {REACH}, received {tuple(plane.shape[-2:])}")
    red, green_by_red, green_by_blue, blue = map(_cells, _places(phase))
    flat = plane.reshape(-1, 1, *plane.shape[-2:])
    padded = F.pad(flat, [REACH] * 4, mode="reflect")
    green, beside, above, opposite = F.conv2d(padded, _filters(plane.dtype)).unbind(1)
    image = flat.repeat(1, 3, 1, 1)
    reds, greens, blues = image.unbind(1)
    greens[red], greens[blue] = green[red], green[blue]
    reds[blue], blues[red] = opposite[blue], opposite[red]
    for own, row, column in (
        (reds, green_by_red, green_by_blue),
        (blues, green_by_blue, green_by_red),
    ):
        own[row], own[column] = beside[row], above[column]
    return image.reshape(*plane.shape[:-3], 3, *plane.shape[-2:])


def shifted_phase(phase: str, top: int, left: int) -> str:
    """Phase of a crop that begins at row `top` and column `left`.

    Raises:
        ValueError: The phase is unknown.
    """
    _check_phase(phase)
    rows = (phase[:2], phase[2:])
    upper, lower = rows[top % 2], rows[1 - top % 2]
    return upper[left % 2] + upper[1 - left % 2] + lower[left % 2] + lower[1 - left % 2]


def _places(phase: str) -> list[tuple[int, int]]:
    """Row and column in the cell of red, green of red's rows, green of blue's rows, and blue."""
    red, blue = _place(phase, "r"), _place(phase, "b")
    return [red, (red[0], blue[1]), (blue[0], red[1]), blue]


def _place(phase: str, color: str) -> tuple[int, int]:
    _check_phase(phase)
    return divmod(phase.index(color), 2)


def _cells(place: tuple[int, int]) -> tuple[EllipsisType, slice, slice]:
    return ..., slice(place[0], None, 2), slice(place[1], None, 2)


@lru_cache(maxsize=4)
def _filters(dtype: torch.dtype) -> Tensor:
    beside = torch.tensor(_BESIDE, dtype=dtype)
    filters = [torch.tensor(_GREEN, dtype=dtype), beside, beside.T]
    return torch.stack([*filters, torch.tensor(_OPPOSITE, dtype=dtype)])[:, None] / 8


def _check_phase(phase: str) -> None:
    if phase not in PHASES:
        raise InputError(f"phase must be one of {', '.join(PHASES)}, received {phase!r}")


def _check(image: Tensor, channels: int) -> None:
    if image.dim() < 3 or image.shape[-3] != channels:
        raise InputError(f"expected (..., {channels}, H, W), received {tuple(image.shape)}")


MOSAIC = DrawnDamage(
    name="mosaic",
    help="what a Bayer sensor records, one plane",
    settings={"phase": PHASE},
    apply=lambda image, values, generator: mosaic(image, values["phase"]),  # noqa: ARG005
)

INTERPOLATED = DrawnDamage(
    name="demosaic",
    help="the mosaic, interpolated as MATLAB does",
    settings={"phase": PHASE},
    apply=lambda image, values, generator: demosaic_linear(  # noqa: ARG005
        mosaic(image, values["phase"]), values["phase"]
    ),
)
