"""What the servers of SIDD and DND want: denoised blocks in the form of their own scripts.

DND (https://noise.visinf.tu-darmstadt.de): one MATLAB file per photograph with a cell array
`Idenoised` of its boxes, (H, W, 3) float32 in [0, 1], the flag `israw` and `eval_version` "1.0".

SIDD (https://abdokamel.github.io/sidd): `SubmitSrgb.mat` with a cell array `DenoisedBlocksSrgb`,
(scenes, blocks) of (H, W, 3) uint8, seconds per megapixel `TimeMPSrgb` and a structure
`OptionalData`; for its competition on Kaggle `SubmitSrgb.csv` with the same bytes in base64.

Until all are there, each block waits in a file of its own, as DND's scripts keep them: a MATLAB
file with `Idenoised_crop`. So several processes can share the work, and an interrupted run
continues.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semanir_arch.data.files.image_io import to_integer
from semanir_arch.data.sources.dnd_source import DndSource
from semanir_arch.data.sources.image_source import ImageSource
from semanir_arch.data.sources.mat_blocks import MatBlocksSource
from semanir_arch.utils.atomic import replacing
from semanir_arch.utils.errors import InputError, InputTypeError

BUNDLE = "bundled"
"""Folder, below that of the blocks, of what is uploaded."""

_BLOCK = "Idenoised_crop"


class Submission:
    """Denoised blocks of an online test set, kept in a folder until they are bundled.

    Args:
        source: The noisy blocks: DND's or SIDD's.
        folder: Folder of the blocks; made when the first is added.

    Raises:
        TypeError: The source is neither.
    """

    def __init__(self, source: ImageSource, folder: Path) -> None:
        if not isinstance(source, (DndSource, MatBlocksSource)):
            raise InputTypeError(f"{source.root} holds the blocks of neither DND nor SIDD")
        self.source = source
        self.folder = folder
        self._numbers = {name: number for number, name in enumerate(source.names)}

    def add(self, name: str, block: NDArray[np.floating[Any]]) -> None:
        """Keep a denoised block.

        Args:
            name: Name of a block of the source.
            block: (H, W, 3) float, RGB; clipped to [0, 1] here, not rounded.

        Raises:
            ValueError: The source has no such block, or this one is no color image of its size and
                of numbers.
        """
        if name not in self._numbers:
            raise InputError(f"{self.source.root} has no block {name!r}")
        if block.ndim != 3 or block.shape[2] != 3 or not np.isfinite(block).all():
            raise InputError(
                f"{name}: expected finite values of shape (H, W, 3), received {block.shape}"
            )
        noisy = self.source.read(self._numbers[name])
        if block.shape != noisy.shape:
            raise InputError(
                f"{name}: {block.shape[0]} x {block.shape[1]} pixels, but the noisy block has "
                f"{noisy.shape[0]} x {noisy.shape[1]}"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        _save(self._path(name), {_BLOCK: block.clip(0, 1).astype(np.float32)})

    def has(self, name: str) -> bool:
        """Whether a block was added, now or by an earlier run."""
        return self._path(name).is_file()

    def missing(self) -> list[str]:
        """Names of the blocks that were not added yet."""
        return [name for name in self.source.names if not self.has(name)]

    def bundle(self, method: str = "", seconds: float = 0.0) -> list[Path]:
        """Write the files to be uploaded.

        Args:
            method: Name of the method; DND asks for it on its page only.
            seconds: Time that denoising all blocks took; 0 where it is not known. SIDD's file holds
                it per megapixel.

        Returns:
            Paths of the written files.

        Raises:
            ValueError: Blocks are missing or damaged.
        """
        missing = self.missing()
        if missing:
            raise InputError(
                f"{self.folder}: {len(missing)} of {len(self.source)} blocks are missing, the "
                f"first is {missing[0]}"
            )
        destination = self.folder / BUNDLE
        destination.mkdir(exist_ok=True)
        if isinstance(self.source, DndSource):
            return list(self._bundle_dnd(destination))
        return self._bundle_sidd(destination, method, seconds)

    def _bundle_dnd(self, destination: Path) -> Iterator[Path]:
        for image, names in groupby(self.source.names, key=lambda name: name.split("_")[0]):
            path = destination / f"{image}.mat"
            blocks = _cells([self._load(name) for name in names])
            _save(path, {"Idenoised": blocks, "israw": False, "eval_version": "1.0"})
            yield path

    def _bundle_sidd(self, destination: Path, method: str, seconds: float) -> list[Path]:
        blocks = [to_integer(self._load(name)) for name in self.source.names]
        table, matlab = (destination / f"SubmitSrgb.{suffix}" for suffix in ("csv", "mat"))
        with replacing(table) as file:
            file.write(b"ID,BLOCK\n")
            for number, block in enumerate(blocks):
                file.write(b"%d,%s\n" % (number, base64.b64encode(block.tobytes())))
        scenes = int(self.source.names[-1].split("_")[0]) + 1
        megapixels = sum(block.shape[0] * block.shape[1] for block in blocks) / 2**20
        content = {
            "DenoisedBlocksSrgb": _cells(blocks).reshape(scenes, -1),
            "TimeMPSrgb": seconds / megapixels,
            "OptionalData": {"MethodName": method, "Authors": "", "PaperTitle": "", "Venue": ""},
        }
        _save(matlab, content)
        return [matlab, table]

    def _load(self, name: str) -> NDArray[np.float32]:
        path = self._path(name)
        try:
            block: NDArray[np.float32] = _scipy_io().loadmat(path)[_BLOCK]
        except (OSError, ValueError, TypeError, KeyError, _scipy_io().matlab.MatReadError) as error:
            raise InputError(f"{path}: cannot be read as a denoised block: {error}") from error
        return block

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.mat"


def _cells(blocks: list[NDArray[Any]]) -> NDArray[np.object_]:
    """A MATLAB cell array of one row."""
    cells = np.empty(len(blocks), dtype=object)
    for number, block in enumerate(blocks):
        cells[number] = block
    return cells


def _save(path: Path, content: dict[str, Any]) -> None:
    with replacing(path) as file:
        _scipy_io().savemat(file, content)


def _scipy_io() -> Any:
    import scipy.io

    return scipy.io
