"""Further ways from a Bayer mosaic to colors, beside `bayer.demosaic_linear`.

Cameras differ in how they interpolate, and the noise of their pictures with it: bilinear
interpolation blurs it, edge-directed interpolation draws it out into short lines.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from semanir_arch.data.degradations.bayer import demosaic_linear, mosaic

__all__ = ["METHODS", "demosaic_bilinear", "demosaic_edges"]

_CROSS = ((0.0, 0.25, 0.0), (0.25, 1.0, 0.25), (0.0, 0.25, 0.0))
_SQUARE = ((0.25, 0.5, 0.25), (0.5, 1.0, 0.5), (0.25, 0.5, 0.25))


def demosaic_bilinear(plane: Tensor, phase: str = "rggb") -> Tensor:
    """Every color by itself, from its nearest two or four samples.

    Args:
        plane: (..., 1, H, W) mosaic, float, any range; sides of 3 pixels or more. Borders are
            mirrored without repeating the edge, which keeps the phase.
        phase: Bayer phase, one of `bayer.PHASES`.

    Returns:
        (..., 3, H, W) RGB, neither clipped nor rounded.

    Raises:
        ValueError: The phase is unknown.
    """
    return _interpolate(plane * _masks(plane, phase))


def demosaic_edges(plane: Tensor, phase: str = "rggb") -> Tensor:
    """Green along the edge rather than across it, then red and blue by their difference to green.

    J. F. Hamilton, J. E. Adams, Adaptive color plan interpolation in single sensor color electronic
    camera, US patent 5,629,734, 1997 (expired): at red and blue, green comes from the direction of
    the smaller gradient, corrected by the second derivative of the color at hand. Differences of
    red and blue to green are interpolated bilinearly.

    Args:
        plane: Mosaic, as for `demosaic_bilinear`.
        phase: Bayer phase, one of `bayer.PHASES`.

    Returns:
        Image as `demosaic_bilinear` returns it.

    Raises:
        ValueError: The phase is unknown.
    """
    masks = _masks(plane, phase)
    left, right = _shifted(plane, 0, -1), _shifted(plane, 0, 1)
    above, below = _shifted(plane, -1, 0), _shifted(plane, 1, 0)
    bend_x = 2 * plane - _shifted(plane, 0, -2) - _shifted(plane, 0, 2)
    bend_y = 2 * plane - _shifted(plane, -2, 0) - _shifted(plane, 2, 0)
    along_x, along_y = (left + right) / 2 + bend_x / 4, (above + below) / 2 + bend_y / 4
    change_x, change_y = (left - right).abs() + bend_x.abs(), (above - below).abs() + bend_y.abs()
    directed = torch.where(
        change_x < change_y,
        along_x,
        torch.where(change_y < change_x, along_y, (along_x + along_y) / 2),
    )
    is_green = masks[..., 1:2, :, :]
    green = torch.where(is_green > 0, plane, directed)
    differences = _interpolate((plane - green) * masks)
    red, blue = differences[..., 0:1, :, :], differences[..., 2:3, :, :]
    return torch.cat((green + red, green, green + blue), dim=-3)


METHODS: dict[str, Callable[[Tensor, str], Tensor]] = {
    "bilinear": demosaic_bilinear,
    "linear": demosaic_linear,
    "edges": demosaic_edges,
}
"""Ways to demosaic, by the name that options give."""


def _masks(plane: Tensor, phase: str) -> Tensor:
    """1 where a color was sampled, (3, H, W)."""
    height, width = plane.shape[-2:]
    places = torch.eye(3).reshape(3, 3, 1, 1).expand(3, 3, height, width)
    return torch.cat([mosaic(colour, phase) for colour in places]).to(plane.dtype)


def _interpolate(samples: Tensor) -> Tensor:
    """Fill the places between samples (..., 3, H, W) that are 0 there."""
    square, cross = torch.tensor(_SQUARE), torch.tensor(_CROSS)
    kernels = torch.stack((square, cross, square))[:, None].to(samples.dtype)
    flat = samples.reshape(-1, 3, *samples.shape[-2:])
    padded = F.pad(flat, [1] * 4, mode="reflect")
    return F.conv2d(padded, kernels, groups=3).reshape(samples.shape)


def _shifted(plane: Tensor, rows: int, columns: int) -> Tensor:
    """The value `rows` below and `columns` to the right of each place."""
    flat = plane.reshape(-1, 1, *plane.shape[-2:])
    padded = F.pad(flat, [2] * 4, mode="reflect")
    height, width = plane.shape[-2:]
    top, left = 2 + rows, 2 + columns
    return padded[..., top : top + height, left : left + width].reshape(plane.shape)
