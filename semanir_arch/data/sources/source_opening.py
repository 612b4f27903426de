"""Where images come from: folders, LMDBs and MATLAB files, all read in one way.

`open_source` chooses by the name: `*.lmdb` is an LMDB (`lmdb_store`), `info.mat` stands for DND
(`dnd_source`), another `*.mat` holds blocks of SIDD (`mat_blocks`), everything else is a folder or
one image; a list is read as one source.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from semanir_arch.data.sources.image_source import FolderSource, ImageSource, JoinedSource
from semanir_arch.utils.errors import InputError

__all__ = ["open_source"]


def open_source(
    roots: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    index_cache: str | None = None,
) -> ImageSource:
    """Open what an option file calls a data root.

    Args:
        roots: Folder, image, `*.lmdb` or `*.mat`, or a list of them.
        index_cache: Folder where lists of files are kept for the next start; None: nowhere.

    Raises:
        FileNotFoundError: A root does not exist.
        ValueError: A root holds no image, or the list is empty.
    """
    if isinstance(roots, (str, os.PathLike)):
        return _open_one(os.fspath(roots), index_cache)
    if not roots:
        raise InputError("no folder is given")
    sources = [_open_one(os.fspath(root), index_cache) for root in roots]
    return sources[0] if len(sources) == 1 else JoinedSource(sources)


def _open_one(root: str, index_cache: str | None) -> ImageSource:
    # each imports a library that only its own format needs
    if root.rstrip("/\\").endswith(".lmdb"):
        from semanir_arch.data.sources.lmdb_source import LmdbSource

        return LmdbSource(root)
    if Path(root).name == "info.mat":
        from semanir_arch.data.sources.dnd_source import DndSource

        return DndSource(root)
    if root.endswith(".mat"):
        from semanir_arch.data.sources.mat_blocks import MatBlocksSource

        return MatBlocksSource(root)
    return FolderSource(root, index_cache)
