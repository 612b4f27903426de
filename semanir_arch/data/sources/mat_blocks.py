"""SIDD's validation blocks: images inside a MATLAB file, as a source.

`ValidationNoisyBlocksSrgb.mat` and `ValidationGtBlocksSrgb.mat` hold one array of the same name,
uint8 (40 scenes, 32 blocks, 256, 256, 3), RGB (https://abdokamel.github.io/sidd/).
"""

from __future__ import annotations

import zlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semanir_arch.data.sources.image_source import ImageSource
from semanir_arch.data.sources.name_table import NameTable
from semanir_arch.utils.errors import InputError, MissingFileError, MissingPackageError


class MatBlocksSource(ImageSource):
    """All blocks of a MATLAB file (version 5 to 7), scene by scene.

    The file is read whole when the first block is asked for, and then kept by the process.

    Args:
        root: The file. It holds one array, uint8 or uint16, (scenes, blocks, H, W, C) or
            (blocks, H, W, C), RGB order.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file is damaged or holds something else.
    """

    def __init__(self, root: str) -> None:
        super().__init__(root)
        if not Path(root).is_file():
            raise MissingFileError(f"{root}: no such file")
        self._variable, shape = _find_array(root)
        numbers = np.ndindex(*shape[:-3])
        self._names = NameTable("_".join(f"{n:04d}" for n in number) for number in numbers)

    @property
    def names(self) -> NameTable:
        """Numbers of scene and block from 0: `0039_0031`."""
        return self._names

    def path(self, index: int) -> str:
        """The block's name below that of the file."""
        return f"{self.root}/{self._names[index]}.png"

    def read(self, index: int) -> NDArray[Any]:
        """One block, (H, W, C)."""
        blocks = _load(self.root, self._variable)
        return np.array(blocks.reshape(-1, *blocks.shape[-3:])[index])


def _find_array(root: str) -> tuple[str, tuple[int, ...]]:
    """Name and shape of the only array in a file, from its header."""
    try:
        arrays = _scipy_io().whosmat(root)
    except NotImplementedError as error:
        raise InputError(
            f"{root}: MATLAB's HDF5 format (7.3) is not supported; save it as '-v7'"
        ) from error
    except _errors() as error:
        raise InputError(f"{root}: cannot be read as a MATLAB file: {error}") from error
    if len(arrays) != 1 or arrays[0][2] not in ("uint8", "uint16") or len(arrays[0][1]) < 4:
        found = ", ".join(f"{name} {kind} {shape}" for name, shape, kind in arrays) or "nothing"
        raise InputError(
            f"{root}: must hold one array (scenes, blocks, H, W, C) of uint8 or uint16; "
            f"holds {found}"
        )
    return arrays[0][0], arrays[0][1]


@lru_cache(maxsize=2)
def _load(root: str, variable: str) -> NDArray[Any]:
    try:
        return _scipy_io().loadmat(root, variable_names=[variable])[variable]
    except _errors() as error:
        raise InputError(f"{root}: cannot be read as a MATLAB file: {error}") from error


def _errors() -> tuple[type[Exception], ...]:
    """Errors that SciPy raises on truncated or damaged files and on files that are not MATLAB's."""
    plain = OSError, ValueError, TypeError, KeyError, IndexError, EOFError, OverflowError
    return (*plain, MemoryError, zlib.error, _scipy_io().matlab.MatReadError)


def _scipy_io() -> Any:
    try:
        import scipy.io
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            "MATLAB files need the package scipy: pip install 'semanir-arch[train]'"
        ) from error
    return scipy.io
