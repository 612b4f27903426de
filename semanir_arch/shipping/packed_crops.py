"""Crops of the training photographs in one file that is small enough to be carried anywhere.

The crops are PNG files in an LMDB, `datasets/packed/train.lmdb`, and as many of the held-out
photographs in `datasets/packed/validation.lmdb`. Which part of a photograph is kept depends on its
name alone, so that the same photographs give the same files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semanir_arch.data.files.image_io import Image, convert_channels
from semanir_arch.data.randomness import integer, named_generator
from semanir_arch.data.sources.lmdb_store import LmdbWriter
from semanir_arch.data.sources.source_opening import open_source
from semanir_arch.utils.errors import InputError

__all__ = ["LARGEST", "PACKED", "Pack", "pack"]

PACKED = Path("datasets/packed")
"""Folder in which the option files in options/shipped look for the crops."""

LARGEST = 50 * 10**6
"""Bytes that a file of crops may have."""


@dataclass(frozen=True)
class Pack:
    """One file of crops.

    Args:
        name: Name of the LMDB, without suffix.
        roots: Folders of photographs, in the order of the crops.
        side: Side of the square crops in pixels; smaller photographs are left out.
        centred: Whether crops come from the middle, instead of a place drawn by the name.
    """

    name: str
    roots: tuple[str, ...]
    side: int
    centred: bool = False


PACKS = (
    Pack("train", ("datasets/train/CID22/training", "datasets/train/BSDS400"), 208),
    Pack("validation", ("datasets/train/CID22/validation",), 192, centred=True),
)
"""Packs that `python -m semanir_arch.weights pack` writes."""


def pack(folder: Path = PACKED, packs: Sequence[Pack] = PACKS) -> dict[str, int]:
    """Write the files that are not there yet.

    Args:
        folder: Folder to write to; made if needed.
        packs: Packs to write.

    Returns:
        Bytes of each file, by its path.

    Raises:
        FileNotFoundError: A folder of photographs does not exist.
        ValueError: It holds no image, an image is unreadable, or a file exceeds `LARGEST`.
        OSError: The files cannot be written.
    """
    sizes = {}
    for wanted in packs:
        path = folder / f"{wanted.name}.lmdb"
        if not (path / "meta_info.txt").is_file():
            _write(path, wanted)
        size = (path / "data.mdb").stat().st_size
        if size > LARGEST:
            raise InputError(f"{path}: {size:,d} bytes; at most {LARGEST:,d} are allowed")
        sizes[str(path)] = size
    return sizes


def _write(path: Path, wanted: Pack) -> None:
    with LmdbWriter(path, raw=False, compress=True) as writer:
        for root in wanted.roots:
            source = open_source(root)
            for index, name in enumerate(source.names):
                # BasicSR reads keys without dots
                key = f"{Path(root).name}_{name.replace('/', '_').replace('.', '_')}"
                pixels = convert_channels(Image(source.read(index)), 3)
                if key not in writer and min(pixels.shape[:2]) >= wanted.side:
                    writer.put(key, _crop(pixels, wanted, key))


def _crop(pixels: NDArray[Any], wanted: Pack, key: str) -> NDArray[Any]:
    """The part of a photograph that is kept."""
    top, left = (length - wanted.side for length in pixels.shape[:2])
    if wanted.centred:
        top, left = top // 2, left // 2
    else:
        generator = named_generator(key)
        top, left = integer(top + 1, generator), integer(left + 1, generator)
    return np.ascontiguousarray(pixels[top : top + wanted.side, left : left + wanted.side])
