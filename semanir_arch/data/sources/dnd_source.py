"""Darmstadt Noise Dataset (DND): the noisy boxes that its server scores, as a source.

T. Ploetz, S. Roth, Benchmarking Denoising Algorithms with Real Photographs, CVPR 2017. The archive
holds 50 photographs and, in `info.mat`, 20 boxes of 512 x 512 pixels in each. Both are MATLAB files
of version 7.3, that is HDF5, which stores arrays transposed:

    info.mat               info/boundingboxes: for each photograph (boxes, 4), first row, first
                           column, last row, last column, counted from 1
    images_srgb/0001.mat   InoisySRGB: (H, W, 3), RGB, floats in [0, 1]
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semanir_arch.data.sources.image_source import ImageSource
from semanir_arch.data.sources.name_table import NameTable
from semanir_arch.utils.errors import InputError, MissingFileError, MissingPackageError


class DndSource(ImageSource):
    """All boxes of all photographs.

    Args:
        root: `info.mat`, with the folder `images_srgb` beside it.

    Raises:
        FileNotFoundError: No such file.
        ModuleNotFoundError: h5py is not installed.
        ValueError: The file is damaged or holds no boxes.
    """

    def __init__(self, root: str) -> None:
        super().__init__(root)
        if not Path(root).is_file():
            raise MissingFileError(f"{root}: no such file")
        self._boxes = _read_boxes(root)
        self._places = [
            (image, box) for image, boxes in enumerate(self._boxes) for box in range(len(boxes))
        ]
        self._names = NameTable(f"{image + 1:04d}_{box + 1:02d}" for image, box in self._places)

    @property
    def names(self) -> NameTable:
        """Numbers of photograph and box from 1, as DND's own scripts write them."""
        return self._names

    def path(self, index: int) -> str:
        """The box's name below that of the file."""
        return f"{self.root}/{self._names[index]}.png"

    def read(self, index: int) -> NDArray[Any]:
        """One box: (H, W, 3) float32 in [0, 1], RGB.

        Raises:
            FileNotFoundError: The photograph is missing.
            ValueError: It is damaged, or smaller than the box.
        """
        image, box = self._places[index]
        path = Path(self.root).parent / "images_srgb" / f"{image + 1:04d}.mat"
        if not path.is_file():
            raise MissingFileError(f"{path}: no such file")
        top, left, bottom, right = self._boxes[image][box].tolist()
        try:
            with _h5py().File(path) as file:
                stored = file["InoisySRGB"]
                _, width, height = stored.shape
                pixels = np.asarray(stored[:, left - 1 : right, top - 1 : bottom], np.float32)
        except (OSError, KeyError, ValueError, TypeError) as error:
            raise InputError(f"{path}: cannot be read as a photograph of DND: {error}") from error
        if not (0 < top <= bottom <= height and 0 < left <= right <= width):
            raise InputError(
                f"{path}: box {box + 1} has rows {top} to {bottom} and columns {left} to {right}, "
                f"but there are {height} rows and {width} columns"
            )
        return pixels.T.copy()


def _read_boxes(root: str) -> list[NDArray[np.int64]]:
    """Boxes of every photograph, (boxes, 4) each."""
    try:
        with _h5py().File(root) as file:
            references = np.asarray(file["info/boundingboxes"]).ravel()
            boxes = [np.asarray(file[reference]).T.astype(np.int64) for reference in references]
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{root}: cannot be read as DND's table of boxes: {error}") from error
    if not boxes or any(part.ndim != 2 or part.shape[1] != 4 for part in boxes):
        raise InputError(f"{root}: must hold boxes of 4 numbers for every photograph")
    return boxes


def _h5py() -> Any:
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            "files of DND need the package h5py: pip install 'semanir-arch[metrics]'"
        ) from error
    return h5py
