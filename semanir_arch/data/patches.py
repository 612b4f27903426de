"""Images cut into overlapping square patches, so that training reads small files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semanir_arch.data.image_io import load_image, write_image


@dataclass(frozen=True)
class Tiling:
    """Which patches are cut.

    Args:
        size: Edge of a patch in pixels.
        step: Distance between neighbouring patches in pixels.
        min_std: Patches in which no channel has at least this standard deviation, on the 0-255
            scale, are left out; 0 keeps all.

    Raises:
        ValueError: A number is too small.
    """

    size: int
    step: int
    min_std: float = 0.0

    def __post_init__(self) -> None:
        for name, lowest in (("size", 1), ("step", 1), ("min_std", 0)):
            if getattr(self, name) < lowest:
                raise ValueError(f"{name} must be {lowest} or more, received {getattr(self, name)}")

    def patches(self, pixels: NDArray[Any]) -> Iterator[NDArray[Any]]:
        """All patches of an image (H, W, C), row by row, as views."""
        for top in positions(pixels.shape[0], self.size, self.step):
            for left in positions(pixels.shape[1], self.size, self.step):
                yield pixels[top : top + self.size, left : left + self.size]

    def keeps(self, patch: NDArray[Any]) -> bool:
        """Whether a patch (uint8 or uint16) varies enough."""
        deviation = patch.std(axis=(0, 1)).max() * 255 / np.iinfo(patch.dtype).max
        return bool(deviation >= self.min_std)


def positions(length: int, size: int, step: int) -> list[int]:
    """Where patches begin along one axis: every `step` pixels, and flush with the end.

    Example:
        >>> positions(300, 128, 96)
        [0, 96, 172]
        >>> positions(100, 128, 96)
        [0]
    """
    last = max(0, length - size)
    return [*range(0, last, step), last]


def extract_patches(path: Path, stem: Path, tiling: Tiling) -> dict[str, int]:
    """Cut one image into PNG files.

    Args:
        path: The image; alpha is dropped. Smaller than a patch, it becomes one smaller patch.
        stem: Path of the patches up to their number.
        tiling: Which patches.

    Returns:
        `bytes` of the image file, number of `patches` written, number of patches `left_out`.

    Raises:
        OSError: The image cannot be opened, or a patch not written.
        ValueError: The image is unreadable.
    """
    pixels = load_image(path).color
    kept = left_out = 0
    for patch in tiling.patches(pixels):
        if tiling.keeps(patch):
            write_image(patch_path(stem, kept), patch)
            kept += 1
        else:
            left_out += 1
    return {"bytes": path.stat().st_size, "patches": kept, "left_out": left_out}


def patch_path(stem: Path, number: int) -> Path:
    """File of a patch: `photo` becomes `photo_0007.png`."""
    return stem.with_name(f"{stem.name}_{number:04d}.png")
