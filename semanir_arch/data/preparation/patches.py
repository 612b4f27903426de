"""Images cut into overlapping square patches, so that training reads small files.

A *group* is one image, or several of the same scene (input and target, high and low resolution),
which are cut at the same places and get the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from semanir_arch.data.files.fast_png import encode_fast_png
from semanir_arch.data.files.image_io import load_image
from semanir_arch.data.sources.lmdb_values import pack_raw
from semanir_arch.utils.atomic import replacing
from semanir_arch.utils.errors import InputError

Window = tuple[int, int, int, int]
"""Top, left, height and width in pixels."""

Record = Mapping[str, int]
"""Notes on a group: `bytes` of its files, number of `patches` of each, number of places
`left_out`, and 1 as `whole` for images that were not cut."""

_SOBEL_SIZES = (3, 7, 11, 15)


@dataclass(frozen=True)
class PatchGrid:
    """Grid by which patches are cut.

    Args:
        size: Edge of a patch in pixels.
        step: Distance between neighboring patches in pixels.
        min_std: Patches in which no channel has at least this standard deviation, on the 0-255
            scale, are left out; 0 keeps all.
        max_whole: An image with a side of at most this many pixels is not cut but kept whole; 0
            cuts all.
        drop_blurred: Share of an image's patches that is left out because others are sharper.
        centre: One patch from the middle of every image, whatever the step.

    Raises:
        ValueError: A number is too small or too large.
    """

    size: int
    step: int
    min_std: float = 0.0
    max_whole: int = 0
    drop_blurred: float = 0.0
    centre: bool = False

    def __post_init__(self) -> None:
        for name, lowest in (("size", 1), ("step", 1), ("min_std", 0), ("max_whole", 0)):
            if getattr(self, name) < lowest:
                raise InputError(f"{name} must be {lowest} or more, received {getattr(self, name)}")
        if not 0 <= self.drop_blurred < 1:
            raise InputError(f"drop_blurred must lie in [0, 1), received {self.drop_blurred}")

    def windows(self, height: int, width: int) -> list[Window]:
        """Places of all patches of an image, row by row; the whole image where it is not cut."""
        if min(height, width) <= self.max_whole:
            return [(0, 0, height, width)]
        rows, columns = min(self.size, height), min(self.size, width)
        if self.centre:
            return [((height - rows) // 2, (width - columns) // 2, rows, columns)]
        return [
            (top, left, rows, columns)
            for top in positions(height, self.size, self.step)
            for left in positions(width, self.size, self.step)
        ]

    def choose(self, pixels: NDArray[Any], windows: Sequence[Window]) -> list[Window]:
        """The windows that are kept, in their order.

        Args:
            pixels: (H, W, C), uint8 or uint16, RGB order: the image that decides for its group.
            windows: Windows, from `windows`.
        """
        kept = [window for window in windows if self._varies(crop(pixels, window))]
        if self.drop_blurred:
            sharp = sharpness([crop(pixels, window) for window in kept])
            blurred = np.argsort(sharp, kind="stable")[: int(self.drop_blurred * len(kept))]
            kept = [window for number, window in enumerate(kept) if number not in blurred]
        return kept

    def _varies(self, patch: NDArray[Any]) -> bool:
        if self.min_std == 0:
            return True
        deviation = patch.std(axis=(0, 1)).max() * 255 / np.iinfo(patch.dtype).max
        return bool(deviation >= self.min_std)


@dataclass(frozen=True)
class View:
    """One image of a group.

    Args:
        source: The image file; alpha is dropped.
        output: Folder, or `*.lmdb`, of its patches.
        stem: Path of its patches below the output, up to what is added for their number.
        scale: Pixels of the first image of the group that one of its pixels stands for.
    """

    source: Path
    output: Path
    stem: str
    scale: int = 1


@dataclass(frozen=True)
class Group:
    """Images that are cut together.

    Args:
        name: Name in the record.
        views: The images. The first has scale 1 and decides which patches are left out.
        tiling: Grid of patches, in pixels of the images of scale 1.
        numbering: Suffix of the stem of patch `{number}`: `-{number}`; an image kept whole gets
            none.
        first: Number of the first patch.
    """

    name: str
    views: tuple[View, ...]
    tiling: PatchGrid
    numbering: str = "_{number:04d}"
    first: int = 0

    @property
    def source(self) -> Path:
        """Name of the group in messages."""
        return self.views[0].source

    def size_on_disk(self) -> int:
        """Bytes of all image files."""
        return sum(view.source.stat().st_size for view in self.views)

    def names(self, record: Record) -> list[tuple[Path, str]]:
        """Output and name without suffix of all patches, in the order of `cut`."""
        patches = [self.numbering.format(number=self.first + n) for n in range(record["patches"])]
        if record.get("whole"):
            patches = [""]
        return [(view.output, view.stem + patch) for view in self.views for patch in patches]


def positions(length: int, size: int, step: int) -> list[int]:
    """Positions of patches along one axis: every `step` pixels, and flush with the end.

    Example:
        >>> positions(300, 128, 96)
        [0, 96, 172]
        >>> positions(100, 128, 96)
        [0]
    """
    last = max(0, length - size)
    return [*range(0, last, step), last]


def crop(pixels: NDArray[Any], window: Window) -> NDArray[Any]:
    """The part of an image (H, W, C) in a window, as a view."""
    top, left, height, width = window
    return pixels[top : top + height, left : left + width]


def sharpness(patches: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    """Sharpness of the patches of an image, compared with one another, from 0 to 1.

    Sum of the Sobel gradient's magnitude of the gray patch for four kernel sizes, each brought to
    [0, 1] over the patches, multiplied: the measure by which Abuolaim and Brown (ECCV 2020) chose
    patches of DPDD, as described by its users.

    Args:
        patches: (H, W, 1 or 3), uint8 or uint16, RGB order.
    """
    energy = np.array([[_energy(_gray(patch), size) for size in _SOBEL_SIZES] for patch in patches])
    low, high = energy.min(axis=0), energy.max(axis=0)
    spread = np.where(high > low, high - low, 1)
    product: NDArray[np.float64] = np.prod((energy - low) / spread, axis=1)
    return product


def cut(group: Group) -> tuple[Record, Iterator[NDArray[Any]]]:
    """Cut the images of a group.

    An image smaller than a patch becomes one smaller patch.

    Returns:
        The record, and the patches (H, W, C) as views in the order of `Group.names`.

    Raises:
        OSError: An image cannot be opened.
        ValueError: An image is unreadable, or sizes do not fit together.
    """
    images = [load_image(view.source).color for view in group.views]
    height, width = _common_size(group, images)
    every = group.tiling.windows(height, width)
    kept = group.tiling.choose(images[0], every)
    record = {
        "bytes": group.size_on_disk(),
        "patches": len(kept),
        "left_out": len(every) - len(kept),
        "whole": int(min(height, width) <= group.tiling.max_whole),
    }
    patches = (
        crop(pixels, _scaled(window, view.scale))
        for view, pixels in zip(group.views, images, strict=True)
        for window in kept
    )
    return record, patches


def cut_to_files(group: Group) -> Record:
    """Cut a group into PNG files, each of which is complete or absent.

    Raises:
        OSError: An image cannot be opened, or a patch not written.
        ValueError: As `cut`.
    """
    record, patches = cut(group)
    for (output, name), patch in zip(group.names(record), patches, strict=True):
        write_patch(patch_path(output, name), encode_fast_png(patch))
    return record


def cut_to_values(group: Group, raw: bool) -> tuple[Record, list[bytes]]:
    """Cut a group into values of an LMDB.

    Args:
        group: The images.
        raw: Raw pixels instead of PNG. Neither is compressed, so that reading is fast.

    Raises:
        OSError: An image cannot be opened.
        ValueError: As `cut`.
    """
    record, patches = cut(group)
    if raw:
        return record, [pack_raw(patch) for patch in patches]
    return record, [encode_fast_png(patch, compress=False) for patch in patches]


def patch_path(output: Path, name: str) -> Path:
    """File of a patch."""
    return output / f"{name}.png"


def write_patch(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; folders on the way are made."""
    # a power cut costs no more than the patches of a moment, which are then cut again
    try:
        _replace(path, data)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, data)


def _replace(path: Path, data: bytes) -> None:
    with replacing(path, durable=False) as file:
        file.write(data)


def _common_size(group: Group, images: Sequence[NDArray[Any]]) -> tuple[int, int]:
    """Height and width that all images of a group cover, in pixels of scale 1."""
    multiple = math.lcm(*(view.scale for view in group.views))
    sides = []
    for axis in (0, 1):
        lengths = [
            image.shape[axis] * view.scale for image, view in zip(images, group.views, strict=True)
        ]
        if max(lengths) - min(lengths) >= multiple or min(lengths) < multiple:
            shown = ", ".join(
                f"{view.source} {image.shape[1]}x{image.shape[0]}"
                for image, view in zip(images, group.views, strict=True)
            )
            raise InputError(f"sizes do not fit together: {shown}")
        # a lone image is cut to its last pixel
        sides.append(min(lengths) // multiple * multiple)
    return sides[0], sides[1]


def _scaled(window: Window, scale: int) -> Window:
    top, left, height, width = window
    return top // scale, left // scale, height // scale, width // scale


def _gray(patch: NDArray[Any]) -> NDArray[Any]:
    if patch.shape[2] == 1:
        return patch[..., 0]
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(patch), cv2.COLOR_RGB2GRAY))


def _energy(gray: NDArray[Any], size: int) -> float:
    across = cv2.Sobel(gray, cv2.CV_64F, 1, 0, ksize=size)
    down = cv2.Sobel(gray, cv2.CV_64F, 0, 1, ksize=size)
    return float(np.hypot(across, down).sum())
