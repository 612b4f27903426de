"""What the items of a data set are called in results: unique, with the folders below its root.

Two items of one name would replace each other's restored image; for macOS and Windows, names that
differ only in case or in how accents are written are one. Data sets of this package say
their names (`item_names`); those of BasicSR list their files; of all others the name is known when
an item is loaded.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from semanir_arch.data.sources.scanning import READABLE_SUFFIXES
from semanir_arch.utils.errors import InputError
from semanir_arch.utils.same_names import clashes, folded

__all__ = ["ItemNames", "label_roots"]

_SHOWN = 5


class ItemNames:
    """The names of a data set's items.

    Args:
        dataset: Data set of this package, of BasicSR, or any other whose items hold `lq_path`.
    """

    def __init__(self, dataset: Any) -> None:
        self._options: Mapping[str, Any] = getattr(dataset, "opt", None) or {}
        self._roots = list(_roots(self._options))
        self._seen: dict[str, str] = {}
        self.known = _find_names(dataset, self._roots)

    def of(self, index: int, data: Mapping[str, Any]) -> str:
        """Name of a loaded item.

        Args:
            index: Place in the set.
            data: A batch of it alone.

        Raises:
            ValueError: The names are not known beforehand, and another item had this one.
        """
        if self.known is not None:
            return self.known[index]
        name = _relative(str(data["lq_path"][0]), self._roots)
        twin = self._seen.get(folded(name))
        if twin is not None:
            raise self._refusal(clashes([twin, name]))
        self._seen[folded(name)] = name
        return name

    def check(self, names: Sequence[str] | None = None) -> None:
        """Refuse names that are one for some system, and those that lead out of their folder.

        Args:
            names: Names to check; None for those that are known before anything is loaded.

        Raises:
            ValueError: There are some; the first are listed.
        """
        names = (self.known or ()) if names is None else names
        outside = [name for name in names if ".." in name.split("/") or name.startswith("/")]
        if outside:
            raise InputError(
                f"data set {self._options.get('name')}: {outside[0]!r} is not a valid name"
            )
        twice = clashes(names)
        if twice:
            raise self._refusal(twice)

    def _refusal(self, twice: Sequence[Sequence[str]]) -> InputError:
        shown = ", ".join(" or ".join(names) for names in twice[:_SHOWN])
        shown += ", ..." if len(twice) > _SHOWN else ""
        more = "the suffix"
        if any(len(names) > 1 for names in twice):
            more += ", in case and in how accents are written (on some systems such names are one)"
        return InputError(
            f"data set {self._options.get('name')}: several images are called {shown}, so that "
            f"their results would replace each other; images of one set must differ in more than "
            f"{more}, and may be listed once"
        )


def label_roots(roots: Sequence[str]) -> list[str]:
    """A short name for each of several roots: the folders in which they differ.

    Folders at the end that all have in common are left out, and as many at the beginning as can be.
    Equal roots have equal names.

    Example:
        >>> label_roots(["data/indoor/lq", "data/outdoor/lq"])
        ['indoor', 'outdoor']
    """
    parts = [list(PurePath(os.path.abspath(root)).parts[1:]) for root in roots]  # noqa: PTH100
    while len(set(map(tuple, parts))) > 1 and all(len(p) > 1 for p in parts):
        if len({p[-1] for p in parts}) > 1:
            break
        parts = [p[:-1] for p in parts]
    different = len(set(map(tuple, parts)))
    for count in range(1, max(map(len, parts)) + 1):
        tails = ["/".join(p[-count:]) for p in parts]
        if len(set(tails)) == different:
            break
    return tails


def _find_names(dataset: Any, roots: Sequence[str]) -> Sequence[str] | None:
    """The names, or None where the data set does not tell them."""
    own = getattr(dataset, "item_names", None)
    if own is not None:
        return own
    listed = getattr(dataset, "paths", None)
    if not isinstance(listed, (list, tuple)) or len(listed) != len(dataset):
        return None
    paths = [entry.get("lq_path") if isinstance(entry, Mapping) else entry for entry in listed]
    texts = [path for path in paths if isinstance(path, str)]
    return [_relative(path, roots) for path in texts] if len(texts) == len(paths) else None


def _roots(options: Mapping[str, Any]) -> Iterator[str]:
    """Folders that a data set's options name, those of inputs first."""
    for key in sorted(options, key=lambda key: (key != "dataroot_lq", key)):
        value = options[key]
        if str(key).startswith("dataroot"):
            for root in value if isinstance(value, (list, tuple)) else [value]:
                if isinstance(root, (str, os.PathLike)):
                    yield os.path.abspath(Path(root).expanduser())  # noqa: PTH100


def _relative(path: str, roots: Sequence[str]) -> str:
    """Name of a file below one of the roots; of another, its own name alone."""
    stem = PurePath(_without_suffix(path))
    # keys of an LMDB are relative to it
    if not stem.is_absolute() and ".." not in stem.parts and not Path(path).exists():
        return stem.as_posix()
    absolute = PurePath(os.path.abspath(stem))  # noqa: PTH100
    for root in roots:
        if absolute.is_relative_to(root) and str(absolute) != root:
            return absolute.relative_to(root).as_posix()
    return absolute.name


def _without_suffix(path: str) -> str:
    stem, suffix = os.path.splitext(path)  # noqa: PTH122
    return stem if suffix.lower() in READABLE_SUFFIXES else path
