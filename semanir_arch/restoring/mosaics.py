"""What a demosaicking network is given of a person's file.

A gray image is taken as the mosaic itself, a color image as the scene, of which the mosaic is
recorded first. Beside the mosaic runs a plane that marks red, so that a mosaic may be turned and
cut and still tells its phase. The network sees only the phase `rggb`, for which it was trained:
other phases are brought to it by a mirrored row or column, cut off afterwards.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from semanir_arch.data.degradations.bayer import REACH, demosaic_linear, mosaic, shifted_phase
from semanir_arch.restoring.pixels import Pixels
from semanir_arch.utils.errors import InputError

__all__ = ["OVERLAP", "check_mosaic", "mosaic_reader", "with_colors"]

OVERLAP = 4 * REACH
"""Pixels that tiles must share, so that none is made of mirrored ones."""


def check_mosaic(pixels: Pixels) -> None:
    """Refuse what is too small to know all colors.

    Raises:
        ValueError: Saying how large a mosaic must be.
    """
    if min(pixels.size) <= REACH:
        raise InputError(
            f"an image of {pixels.size[1]} x {pixels.size[0]} pixels is too small to be a mosaic; "
            f"both sides must be above {REACH}"
        )


def mosaic_reader(pixels: Pixels, phase: str) -> Callable[[slice, slice], Tensor]:
    """Make a reader of parts of the mosaic that begin at an even row and column.

    Returns:
        Function from rows and columns to (1, 2, h, w): the mosaic in [0, 1], and 1 where it is red.
    """
    row, column = divmod(phase.index("r"), 2)

    def read(rows: slice, columns: slice) -> Tensor:
        color = pixels.read_color(rows, columns)
        plane = mosaic(color, phase) if pixels.channels == 3 else color
        red = torch.zeros_like(plane)
        red[..., row::2, column::2] = 1
        return torch.cat([plane, red], dim=1)

    return read


def with_colors(
    run: Callable[[Tensor], Tensor], channels: int, scale: int
) -> Callable[[Tensor], Tensor]:
    """Let a network run on what `mosaic_reader` reads, in any orientation.

    Args:
        run: The network.
        channels: Input channels of the network: 3, the linear interpolation, or 1, the mosaic
            itself.
        scale: Factor by which its result is larger.

    Returns:
        Function from (1, 2, h, w) to (1, 3, `scale` h, `scale` w).
    """

    def restore(x: Tensor) -> Tensor:
        plane, red = x.split(1, dim=1)
        top, left = divmod(int(red[0, 0, :2, :2].argmax()), 2)
        phase = shifted_phase("rggb", top, left)
        given = demosaic_linear(plane, phase).clamp(0, 1) if channels == 3 else plane
        padded = F.pad(given, (left, 0, top, 0), mode="reflect")
        return run(padded)[..., top * scale :, left * scale :]

    return restore
