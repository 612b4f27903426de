"""What every source of images is, and folders as sources.

Nothing stays open in the object, so that it can be handed to forked and spawned processes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import accumulate
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from semanir_arch.data.files.image_io import load_image
from semanir_arch.data.sources.item_names import label_roots
from semanir_arch.data.sources.name_table import NameTable
from semanir_arch.data.sources.scanning import scan_names


class ImageSource(ABC):
    """A sequence of images, read on demand.

    Args:
        root: Folder or file that holds them.
    """

    def __init__(self, root: str) -> None:
        self.root = root

    @property
    @abstractmethod
    def names(self) -> Sequence[str]:
        """Relative paths without suffix, `/` between folders: `0001` or `scene1/0001`."""

    @property
    def labels(self) -> Sequence[str]:
        """The names, with what tells roots apart in front where there are several."""
        return self.names

    @abstractmethod
    def path(self, index: int) -> str:
        """Name of an image in messages and results; for a folder, its file."""

    @abstractmethod
    def read(self, index: int) -> NDArray[Any]:
        """Decode one image.

        Returns:
            (H, W, C), uint8 or uint16 as stored (DND: float32 in [0, 1]), RGB order; C is 1 (gray),
            2 (gray, alpha), 3 or 4 (RGB, alpha).

        Raises:
            FileNotFoundError: It no longer exists.
            ValueError: It is unreadable. Both name the file.
        """

    def view(self, index: int) -> AbstractContextManager[NDArray[Any]]:
        """The image as in `read`, to be copied from within the `with` block only.

        Where pixels are stored raw, nothing is copied before that: a crop costs the crop.
        """
        return nullcontext(self.read(index))

    def __len__(self) -> int:
        """Number of images."""
        return len(self.names)


class FolderSource(ImageSource):
    """The images of a folder and its sub-folders, in natural order.

    Args:
        root: The folder, or one image.
        index_cache: Folder where the list of files is kept for the next start; see `scanning`.

    Raises:
        FileNotFoundError: `root` does not exist.
        ValueError: There is no image in it.
    """

    def __init__(self, root: str, index_cache: str | None = None) -> None:
        path = Path(root)
        if path.is_file():
            root, files = str(path.parent), NameTable([path.name])
        else:
            files = scan_names(root, index_cache)
        super().__init__(root)
        self.files = files

    @property
    def names(self) -> Sequence[str]:
        """Relative paths without suffix."""
        return _Stems(self.files)

    def path(self, index: int) -> str:
        """The file."""
        return str(Path(self.root, self.files[index]))

    def read(self, index: int) -> NDArray[Any]:
        """Decode one file; see `ImageSource.read`."""
        return load_image(self.path(index)).pixels


class JoinedSource(ImageSource):
    """Several sources as one, in the order given; names may repeat.

    Args:
        sources: Sources, at least one.
    """

    def __init__(self, sources: Sequence[ImageSource]) -> None:
        super().__init__(", ".join(source.root for source in sources))
        self.sources = tuple(sources)
        self._ends = list(accumulate(map(len, sources)))

    @property
    def names(self) -> Sequence[str]:
        """The names of all sources, one after the other."""
        return NameTable(name for source in self.sources for name in source.names)

    @property
    def labels(self) -> Sequence[str]:
        """The names, each below that of its root; see `label_roots`."""
        roots = label_roots([source.root for source in self.sources])
        return NameTable(
            f"{root}/{name}"
            for root, source in zip(roots, self.sources, strict=True)
            for name in source.names
        )

    def path(self, index: int) -> str:
        """The name of an image in its own source."""
        source, index = self._locate(index)
        return source.path(index)

    def read(self, index: int) -> NDArray[Any]:
        """Decode one image; see `ImageSource.read`."""
        source, index = self._locate(index)
        return source.read(index)

    def view(self, index: int) -> AbstractContextManager[NDArray[Any]]:
        """View of an image; see `ImageSource.view`."""
        source, index = self._locate(index)
        return source.view(index)

    def __len__(self) -> int:
        """Number of images."""
        return self._ends[-1]

    def _locate(self, index: int) -> tuple[ImageSource, int]:
        index = range(len(self))[index]
        number = next(n for n, end in enumerate(self._ends) if index < end)
        return self.sources[number], index - (self._ends[number - 1] if number else 0)


class _Stems(Sequence[str]):
    """File names without suffix, cut off when asked for."""

    def __init__(self, files: NameTable) -> None:
        self._files = files

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [_stem(file) for file in self._files[index]]
        return _stem(self._files[index])

    def __iter__(self) -> Iterator[str]:
        return map(_stem, self._files)


def _stem(file: str) -> str:
    return file.rpartition(".")[0] or file
