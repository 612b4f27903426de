"""An image array read part by part as a network needs it, and its result written the same way.

Only what is in work becomes floating point, so memory is that of the two arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from semanir_arch.utils.errors import InputError, InputTypeError
from semanir_arch.utils.tiling import Tiling, restored_bands

__all__ = ["Canvas", "Pixels", "split", "to_levels"]

_LAYOUTS = "(H, W), (H, W, 1), (H, W, 2), (H, W, 3) or (H, W, 4)"
_ALL = slice(None)

_FARTHEST = 8.0
"""Values beyond it are no noise but another range, such as 0 to 255."""

# The reach of bicubic interpolation is 2 pixels, far below a quarter of the overlap.
_ALPHA_TILING = Tiling(512, 32)


@dataclass(frozen=True)
class Pixels:
    """An image of any layout and type.

    Attributes:
        layers: Shape (H, W, C), C from 1 to 4: gray or RGB, perhaps with opacity.
        flat: Whether the image's array has no channel axis.
    """

    layers: npt.NDArray[Any]
    flat: bool

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.layers.shape[0], self.layers.shape[1]

    @property
    def channels(self) -> int:
        """Channels of the color: 1 (gray) or 3 (RGB)."""
        return 1 if self.layers.shape[2] <= 2 else 3

    @property
    def has_alpha(self) -> bool:
        """Whether there is opacity beside the color."""
        return self.layers.shape[2] > self.channels

    @property
    def color(self) -> Tensor:
        """The whole color; see `read_color`."""
        return self.read_color(_ALL, _ALL)

    @property
    def alpha(self) -> Tensor | None:
        """The whole opacity, shape (1, 1, H, W), float32 in [0, 1], or None."""
        return self.read_alpha(_ALL, _ALL) if self.has_alpha else None

    def read_color(self, rows: slice, columns: slice) -> Tensor:
        """A part of the color, shape (1, `channels`, h, w), float32 in [0, 1]."""
        return _to_tensor(self.layers[rows, columns, : self.channels])

    def read_alpha(self, rows: slice, columns: slice) -> Tensor:
        """A part of the opacity, shape (1, 1, h, w), float32 in [0, 1]."""
        return _to_tensor(self.layers[rows, columns, self.channels :])


class Canvas:
    """The result of an image, of the same type, filled from top to bottom.

    Args:
        pixels: The image.
        channels: Color channels of the result: 1 or 3.
        scale: Factor by which it is larger.
    """

    def __init__(self, pixels: Pixels, channels: int, scale: int) -> None:
        height, width = pixels.size
        self._pixels, self._channels, self._scale = pixels, channels, scale
        shape = (height * scale, width * scale, channels + pixels.has_alpha)
        self._layers: npt.NDArray[Any] = np.empty(shape, pixels.layers.dtype)
        self._next = 0

    def restart(self) -> None:
        """Begin at the top again."""
        self._next = 0

    def add(self, band: Tensor) -> None:
        """Fill the next rows.

        Args:
            band: Shape (1, channels, h, width of the result), clipped to [0, 1].
        """
        rows = slice(self._next, self._next + band.shape[-2])
        self._layers[rows, :, : self._channels] = _to_levels(band, self._layers.dtype)
        self._next = rows.stop

    def finish(self) -> npt.NDArray[Any]:
        """The image, when all rows are filled; opacity is copied, or enlarged bicubically.

        Returns:
            Shape (H', W') for a gray result of an image without channel axis, else (H', W', C).
        """
        if self._pixels.has_alpha:
            self._paint_alpha(self._layers[..., self._channels :])
        flat = self._pixels.flat and self._layers.shape[2] == 1
        return self._layers[..., 0] if flat else self._layers

    def _paint_alpha(self, target: npt.NDArray[Any]) -> None:
        if self._scale == 1:
            target[...] = self._pixels.layers[..., self._pixels.channels :]
            return
        bands = restored_bands(
            lambda part: F.interpolate(part, scale_factor=self._scale, mode="bicubic"),
            self._pixels.read_alpha,
            self._pixels.size,
            _ALPHA_TILING,
            scale=self._scale,
        )
        top = 0
        for band in bands:
            target[top : top + band.shape[-2]] = _to_levels(band, target.dtype)
            top += band.shape[-2]


def split(image: npt.NDArray[Any]) -> Pixels:
    """Look at an array as an image; nothing is copied.

    Args:
        image: Gray (H, W) or (H, W, 1), gray and alpha (H, W, 2), RGB (H, W, 3) or RGBA
            (H, W, 4); uint8 in 0-255, uint16 in 0-65535, or floating point in [0, 1] (noise may
            leave it, up to `_FARTHEST`).

    Raises:
        TypeError: Not an array, or of another type.
        ValueError: Of another layout, empty, or with values that are NaN, infinite or far from
            [0, 1].
    """
    if not isinstance(image, np.ndarray):
        raise InputTypeError(f"image must be a numpy array, got {type(image).__name__}")
    # np.matrix, for one, has no third axis
    image = np.asarray(image)
    dtype = image.dtype
    if not (dtype.kind == "f" or (dtype.kind == "u" and dtype.itemsize <= 2)):
        raise InputTypeError(f"image has dtype {dtype}; allowed: uint8, uint16, floating point")
    flat = image.ndim == 2
    layers = image[..., None] if flat else image
    if layers.ndim != 3 or not 1 <= layers.shape[2] <= 4:
        raise InputError(f"image has shape {image.shape}; allowed: {_LAYOUTS}")
    if layers.size == 0:
        raise InputError(f"image has shape {image.shape}: no pixels")
    if dtype.kind == "f" and not np.isfinite(layers).all():
        raise InputError("image holds NaN or infinite values")
    lowest, highest = layers.min(), layers.max()
    if dtype.kind == "f" and max(-lowest, highest) > _FARTHEST:
        raise InputError(
            f"image has floating-point values from {lowest:g} to {highest:g}; allowed: [0, 1], "
            f"from which noise may lead up to {_FARTHEST:g} away (0-255 needs uint8, or / 255)"
        )
    return Pixels(layers, flat)


def _to_tensor(layers: npt.NDArray[Any]) -> Tensor:
    values = layers.astype(np.float32)
    if layers.dtype.kind == "u":
        values /= np.float32(np.iinfo(layers.dtype).max)
    return torch.from_numpy(values).permute(2, 0, 1)[None].contiguous()


def _to_levels(band: Tensor, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """A band (1, C, h, w) as rows (h, w, C) of an image: clipped, and rounded for integers."""
    return to_levels(band[0].permute(1, 2, 0).numpy(), dtype)


def to_levels(values: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Floating point about [0, 1] as a type of image: clipped, and rounded for integers."""
    values = values.clip(0, 1)
    if dtype.kind == "u":
        values = np.rint(values * np.float32(np.iinfo(dtype).max))
    return values.astype(dtype)
