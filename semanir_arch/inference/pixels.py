"""An image array taken apart into what a network restores and what is carried along."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["Pixels", "split"]

_LAYOUTS = "(H, W), (H, W, 1), (H, W, 2), (H, W, 3) or (H, W, 4)"


@dataclass(frozen=True)
class Pixels:
    """The parts of an image of any layout and type.

    Attributes:
        color: Gray or RGB, shape (1, C, H, W) with C 1 or 3, float32 in [0, 1].
        alpha: Opacity, shape (1, 1, H, W), float32 in [0, 1], or None.
        dtype: Type of the image's array.
        flat: Whether the array has no channel axis.
    """

    color: Tensor
    alpha: Tensor | None
    dtype: np.dtype[Any]
    flat: bool

    def join(self, color: Tensor) -> npt.NDArray[Any]:
        """Put an image of the original layout and type together again.

        Args:
            color: Replaces the colour, shape (1, C, H', W'), clipped to [0, 1]. The opacity is
                resized to it (bicubic).

        Returns:
            Shape (H', W') or (H', W', C [+ 1]), of the original type; integers are rounded.
        """
        parts = [color.float().cpu()]
        if self.alpha is not None:
            size = color.shape[-2:]
            same = self.alpha.shape[-2:] == size
            parts.append(self.alpha if same else F.interpolate(self.alpha, size, mode="bicubic"))
        image = torch.cat(parts, dim=1)[0].permute(1, 2, 0).clamp(0, 1).numpy()
        if self.dtype.kind == "u":
            image = np.rint(image * np.float32(np.iinfo(self.dtype).max))
        image = image.astype(self.dtype)
        return image[..., 0] if self.flat else image


def split(image: npt.NDArray[Any]) -> Pixels:
    """Take an image apart.

    Args:
        image: Gray (H, W) or (H, W, 1), gray and alpha (H, W, 2), RGB (H, W, 3) or RGBA
            (H, W, 4); uint8 in 0-255, uint16 in 0-65535, or floating point in [0, 1] (noise may
            leave it).

    Raises:
        TypeError: Not an array, or of another type.
        ValueError: Of another layout, empty, or with NaN or infinite values.
    """
    if not isinstance(image, np.ndarray):
        raise TypeError(f"image must be a numpy array, got {type(image).__name__}")
    dtype = image.dtype
    if not (dtype.kind == "f" or (dtype.kind == "u" and dtype.itemsize <= 2)):
        raise TypeError(f"image has dtype {dtype}; allowed: uint8, uint16, floating point")
    flat = image.ndim == 2
    layered = image[..., None] if flat else image
    if layered.ndim != 3 or not 1 <= layered.shape[2] <= 4:
        raise ValueError(f"image has shape {image.shape}; allowed: {_LAYOUTS}")
    if layered.size == 0:
        raise ValueError(f"image has shape {image.shape}: no pixels")
    values = layered.astype(np.float32)
    if dtype.kind == "u":
        values /= np.float32(np.iinfo(dtype).max)
    elif not np.isfinite(values).all():
        raise ValueError("image holds NaN or infinite values")
    planes = torch.from_numpy(values).permute(2, 0, 1)[None]
    opaque = planes.shape[1] in (1, 3)
    return Pixels(
        color=planes if opaque else planes[:, :-1],
        alpha=None if opaque else planes[:, -1:],
        dtype=dtype,
        flat=flat,
    )
