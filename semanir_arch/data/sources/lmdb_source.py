"""An LMDB as a source of images."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semanir_arch.data.sources.image_source import ImageSource
from semanir_arch.data.sources.lmdb_store import read_keys, reading
from semanir_arch.data.sources.lmdb_values import unpack
from semanir_arch.data.sources.name_table import NameTable, natural_order


class LmdbSource(ImageSource):
    """The images of an LMDB, ours or BasicSR's, in natural order.

    Args:
        root: The folder `*.lmdb`.

    Raises:
        FileNotFoundError: It does not exist or is unfinished.
        ValueError: It is empty or its `meta_info.txt` is damaged.
    """

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self._keys = NameTable(natural_order(read_keys(root)))

    @property
    def names(self) -> NameTable:
        """The keys."""
        return self._keys

    def path(self, index: int) -> str:
        """The image's name below that of the LMDB, with the suffix that `meta_info.txt` gives."""
        return f"{self.root}/{self._keys[index]}.png"

    def read(self, index: int) -> NDArray[Any]:
        """Decode one image, and compare it with its checksum; see `ImageSource.read`."""
        with self._unpacked(index, verify=True) as pixels:
            return np.array(pixels)

    @contextmanager
    def view(self, index: int) -> Iterator[NDArray[Any]]:
        """View of an image; see `ImageSource.view`."""
        with self._unpacked(index, verify=False) as pixels:
            yield pixels

    @contextmanager
    def _unpacked(self, index: int, *, verify: bool) -> Iterator[NDArray[Any]]:
        with reading(self.root, self._keys[index]) as value:
            yield unpack(value, self.path(index), verify=verify)
