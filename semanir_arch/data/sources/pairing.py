"""Which input belongs to which target: by names, or by a list file.

Names are looked up in a dictionary, so a million pairs take seconds; what stays is two arrays of
indices.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from semanir_arch.data.sources.image_source import ImageSource
from semanir_arch.data.sources.name_rules import NameRule
from semanir_arch.utils.errors import InputError, MissingFileError
from semanir_arch.utils.spelling import hint_at_names

COLUMNS = ("lq", "gt")
"""Contents that a column of a list file may have: inputs or targets."""

_SHOWN = 10
_SEPARATORS = (r"\t", r",\s+", r",", r"\s+")
_SHAPE = re.compile(r"\s*\(\d+, *\d+, *\d+\).*")


class Pairs(NamedTuple):
    """Indices of inputs and of their targets, int32, of equal length."""

    lq: NDArray[np.int32]
    gt: NDArray[np.int32]


class ListFile(NamedTuple):
    """A file that names images, one pair per line.

    `path` is the file; `columns` says what a line holds: `("lq", "gt")` in any order for pairs, or
    one of them, which selects from the pairs that the names make. Columns are separated by a tab,
    a comma (Real-ESRGAN's lists) or spaces, the first of these that gives as many names as there
    are columns, and names of images that exist. BasicSR's shape `(480,480,3)` behind the names is
    passed over. Names are paths below the data root, with or without suffix; folders at the end of
    the root may be repeated.
    """

    path: Path
    columns: tuple[str, ...]


def find_pairs(
    lq: ImageSource,
    gt: ImageSource,
    rule: NameRule,
    list_file: ListFile | None = None,
    *,
    partly: bool = False,
) -> Pairs:
    """Pair two sources.

    Args:
        lq: Inputs. Where they lie in the same folder as the targets, those for which the rule
            holds.
        gt: Targets. One may have several inputs.
        rule: Function from the name of an input to that of its target.
        list_file: Pairs, or a selection from them; None: every image must be in a pair.
        partly: Permission, without a list, to leave out images without partner.

    Returns:
        Pairs in the order of the inputs, or of the list's pairs.

    Raises:
        FileNotFoundError: The list file does not exist.
        ValueError: Images have no partner, names are ambiguous, or the list names images that do
            not exist; the first ten are listed.
    """
    if list_file is None:
        return _by_rule(lq, gt, rule, partly=partly)
    sources = {"lq": lq, "gt": gt}
    finders = [_Finder(sources[role]) for role in list_file.columns]
    lines = _read_list(list_file, finders)
    columns = dict(zip(list_file.columns, zip(*lines, strict=True), strict=True))
    listed = {
        role: finder.locate(columns[role], list_file.path)
        for role, finder in zip(list_file.columns, finders, strict=True)
    }
    if len(listed) == 2:
        return Pairs(listed["lq"], listed["gt"])
    return _selected(_by_rule(lq, gt, rule, partly=True), lq, gt, list_file, listed)


def _by_rule(lq: ImageSource, gt: ImageSource, rule: NameRule, *, partly: bool = False) -> Pairs:
    """All pairs; with `partly`, images without partner are left out."""
    _lookup(lq)
    targets = _lookup(gt)
    mixed = lq.root == gt.root
    lq_indices, gt_indices, lonely, wanted = [], [], [], []
    for index, name in enumerate(lq.names):
        target = rule.target(name)
        found = targets.get(target) if target is not None else None
        if found is not None:
            lq_indices.append(index)
            gt_indices.append(found)
        elif target is not None or not mixed:
            lonely.append(name if target in (None, name) else f"{name} (looked for {target})")
            wanted.append(name if target is None else target)
    pairs = Pairs(np.array(lq_indices, np.int32), np.array(gt_indices, np.int32))
    if partly:
        return pairs
    if lonely:
        raise InputError(
            f"{len(lonely)} of {len(lq)} inputs in {lq.root} have no target in {gt.root}: "
            f"{_some(lonely)}{hint_at_names(wanted, targets)}"
        )
    used = np.zeros(len(gt), bool)
    used[pairs.gt] = True
    if mixed:
        used[pairs.lq] = True
    if not used.all():
        unused = [gt.names[index] for index in np.flatnonzero(~used)[:_SHOWN]]
        raise InputError(
            f"{len(gt) - used.sum()} of {len(gt)} targets in {gt.root} have no input in "
            f"{lq.root}: {_some(unused, len(gt) - int(used.sum()))}"
        )
    return pairs


def _lookup(source: ImageSource) -> dict[str, int]:
    """Index of every name; two files of one name are an error."""
    names = {name: index for index, name in enumerate(source.names)}
    if len(names) < len(source):
        repeated = (n for index, n in enumerate(source.names) if names[n] != index)
        first = next(repeated)
        raise InputError(
            f"{source.root}: {len(source) - len(names)} names occur more than once, with different "
            f"suffixes; the first is {first}"
        )
    return names


def _selected(
    pairs: Pairs,
    lq: ImageSource,
    gt: ImageSource,
    list_file: ListFile,
    listed: dict[str, NDArray[np.int32]],
) -> Pairs:
    """The pairs whose input or target is in a list of one column."""
    role, wanted = next(iter(listed.items()))
    candidates, source = (pairs.lq, lq) if role == "lq" else (pairs.gt, gt)
    lonely = np.setdiff1d(wanted, candidates)
    if len(lonely):
        names = [source.names[index] for index in lonely[:_SHOWN]]
        raise InputError(
            f"{list_file.path}: {len(lonely)} images in it have no partner: "
            f"{_some(names, len(lonely))}"
        )
    keep = np.isin(candidates, wanted)
    return Pairs(pairs.lq[keep], pairs.gt[keep])


def _read_list(list_file: ListFile, finders: Sequence[_Finder]) -> list[list[str]]:
    """The names of every line, in the order of the columns."""
    path, columns = list_file
    if not path.is_file():
        raise MissingFileError(f"{path}: no such list file")
    try:
        # editors on Windows put a mark at the beginning
        content = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8: {error}") from error
    lines = []
    for number, text in enumerate(content.splitlines(), start=1):
        line = _SHAPE.sub("", text).strip()
        if not line:
            continue
        ways = _split(line, len(columns))
        if not ways:
            raise InputError(
                f"{path}, line {number}: must have {' and '.join(columns)}, received {line!r}"
            )
        lines.append(next((way for way in ways if _exist(way, finders)), ways[0]))
        if len(columns) == 1 and not _exist(lines[-1], finders):
            _explain_pair(line, f"{path}, line {number}", columns, finders[0])
    if not lines:
        raise InputError(f"{path}: lists no images")
    return lines


def _split(line: str, count: int) -> list[list[str]]:
    """All ways to cut a line into names, the likeliest first."""
    if count == 1:
        return [[line]]
    ways = [re.split(separator, line) for separator in _SEPARATORS]
    stripped = [[word.strip() for word in way] for way in ways]
    return [way for way in stripped if len(way) == count and all(way)]


def _exist(names: Sequence[str], finders: Sequence[_Finder]) -> bool:
    return all(finder.find(name) is not None for name, finder in zip(names, finders, strict=True))


def _explain_pair(line: str, where: str, columns: tuple[str, ...], finder: _Finder) -> None:
    """Refuse a line of two names in a list that is said to have one."""
    for way in _split(line, 2):
        if any(finder.find(name) is not None for name in way):
            raise InputError(
                f"{where}: holds two names, {line!r}, but meta_info_columns is [{columns[0]}]: "
                "say meta_info_columns: [gt, lq] or [lq, gt]"
            )


class _Finder:
    """Looks up listed names in a source."""

    def __init__(self, source: ImageSource) -> None:
        self.source = source
        self._lookup = _lookup(source)
        self._folders = PurePosixPath(source.root.replace("\\", "/")).parts

    def find(self, name: str) -> int | None:
        """Index of an image; None where the source lacks it."""
        for candidate in (name, f"{name}."):
            # a name without suffix may have a dot
            index = self._lookup.get(_below(candidate, self._folders))
            if index is not None:
                return index
        return None

    def locate(self, names: Sequence[str], path: Path) -> NDArray[np.int32]:
        """Indices of the images that a list names.

        Raises:
            ValueError: The source lacks some; the first ten are listed.
        """
        found = [self.find(name) for name in names]
        missing = [name for name, index in zip(names, found, strict=True) if index is None]
        if missing:
            stems = [_below(name, self._folders) for name in missing]
            raise InputError(
                f"{path}: {len(missing)} of {len(names)} images in it are not in "
                f"{self.source.root}: {_some(missing)}{hint_at_names(stems, self._lookup)}"
            )
        return np.array(found, np.int32)


def _below(name: str, folders: tuple[str, ...]) -> str:
    """A listed path without suffix, `./`, and the folders in which the data root itself ends."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    for count in range(min(len(folders), len(parts) - 1), 0, -1):
        if folders[-count:] == tuple(parts[:count]):
            parts = parts[count:]
            break
    stem = "/".join(parts)
    return stem.rpartition(".")[0] or stem


def _some(names: Iterable[str], count: int | None = None) -> str:
    names = list(names)
    count = len(names) if count is None else count
    return ", ".join(names[:_SHOWN]) + (", ..." if count > _SHOWN else "")
