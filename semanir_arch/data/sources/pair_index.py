"""All pairs of a data set, from the options that name its folders.

Several roots become one set, pair by pair: the first entry of `dataroot_lq` belongs to the first of
`dataroot_gt`, and so on; one `dataroot_gt` may serve all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semanir_arch.data.sources.image_source import ImageSource, JoinedSource
from semanir_arch.data.sources.name_rules import NAME_RULES, NameRule, parse_name_rule
from semanir_arch.data.sources.name_table import NameTable
from semanir_arch.data.sources.pairing import COLUMNS, ListFile, find_pairs
from semanir_arch.data.sources.source_opening import open_source
from semanir_arch.utils.errors import InputError, UserError

Pixels = NDArray[Any]
Indices = NDArray[np.int32]


class PairIndex:
    """Index of the images that make up each item.

    Args:
        sources: Sources of the inputs, then that of the targets.
        indices: Index of every item's image, for every source; all of equal length.
    """

    def __init__(self, sources: Sequence[ImageSource], indices: Sequence[Indices]) -> None:
        self._sources = tuple(sources)
        self._indices = tuple(indices)

    def __len__(self) -> int:
        """Number of items."""
        return len(self._indices[0])

    @property
    def name(self) -> str:
        """Name of the pairs in messages."""
        return " and ".join(source.root for source in self._sources)

    @property
    def labels(self) -> NameTable:
        """Names of the items, those of their inputs."""
        labels = self._sources[0].labels
        return NameTable(labels[index] for index in self._indices[0].tolist())

    def paths(self, item: int) -> list[str]:
        """Names of an item's images in messages and results."""
        return [source.path(index) for source, index in self._images(item)]

    def read(self, item: int) -> list[Pixels]:
        """The images of an item; see `ImageSource.read`.

        Raises:
            ValueError: Some are missing or damaged; all of them are named, one per line.
        """
        images, problems = [], []
        for source, index in self._images(item):
            try:
                images.append(source.read(index))
            except (UserError, OSError) as error:
                problems.append(str(error))
        if problems:
            raise InputError("\n".join(problems))
        return images

    def views(self, item: int) -> list[AbstractContextManager[Pixels]]:
        """The images of an item; see `ImageSource.view`."""
        return [source.view(index) for source, index in self._images(item)]

    def _images(self, item: int) -> list[tuple[ImageSource, int]]:
        return [
            (source, int(indices[item]))
            for source, indices in zip(self._sources, self._indices, strict=True)
        ]


def build_pair_index(options: Mapping[str, Any], input_roots: Sequence[str]) -> PairIndex:
    """Find the pairs that a data set's options describe.

    Args:
        options: `dataroot_gt`, the options of `input_roots`, `filename_tmpl`, `name_rule`,
            `meta_info_file`, `meta_info_columns` and `index_cache`; see
            `PairedRestorationDataset`.
        input_roots: Names of the options that hold data roots of inputs.

    Raises:
        FileNotFoundError: A folder or file does not exist.
        ValueError: The options contradict each other, or images have no partner.
    """
    parts = len(_listed(options[input_roots[0]]))
    rules = [
        parse_name_rule(rule, template)
        for rule, template in zip(
            _per_root(_rule_list(options["name_rule"], parts), "name_rule", parts),
            _per_root(options["filename_tmpl"], "filename_tmpl", parts),
            strict=True,
        )
    ]
    lists = _list_files(options, parts)
    cache = options["index_cache"]
    targets = _open("dataroot_gt", options["dataroot_gt"], cache)
    if len(targets) not in (1, parts):
        raise InputError(
            f"dataroot_gt must name 1 or {parts} roots as {input_roots[0]}, received {len(targets)}"
        )
    inputs = [_open(key, options[key], cache) for key in input_roots]
    for key, sources in zip(input_roots, inputs, strict=True):
        if len(sources) != parts:
            raise InputError(f"{key} must name {parts} roots, received {len(sources)}")
    columns: list[list[Indices]] = [[] for _ in range(len(inputs) + 1)]
    for part in range(parts):
        target = targets[part % len(targets)]
        found = _aligned([s[part] for s in inputs], target, rules[part], lists[part])
        offsets = [sum(map(len, s[:part])) for s in inputs]
        offsets.append(sum(map(len, targets[:part])) if len(targets) > 1 else 0)
        for column, indices, offset in zip(columns, found, offsets, strict=True):
            column.append(indices + np.int32(offset))
    sources = [_joined(s) for s in [*inputs, targets]]
    return PairIndex(sources, [np.concatenate(column) for column in columns])


def _aligned(
    inputs: list[ImageSource], target: ImageSource, rule: NameRule, listed: ListFile | None
) -> list[Indices]:
    """Index of every pair's image, for every source; the last is the target."""
    first, *others = (find_pairs(source, target, rule, listed) for source in inputs)
    columns = [first.lq]
    for source, pairs in zip(inputs[1:], others, strict=True):
        partner = np.full(len(target), -1, np.int32)
        partner[pairs.gt] = pairs.lq
        column = partner[first.gt]
        if len(pairs.gt) != len(first.gt) or (column < 0).any():
            raise InputError(
                f"{inputs[0].root} and {source.root} must hold inputs of the same targets"
            )
        columns.append(column)
    return [*columns, first.gt]


def _open(key: str, roots: Any, index_cache: str | None) -> list[ImageSource]:
    sources = []
    for root in _listed(roots):
        try:
            sources.append(open_source(root, index_cache))
        except UserError as error:
            raise type(error)(f"{key}: {error}") from error
    if not sources:
        raise InputError(f"{key} names no folder")
    return sources


def _joined(sources: list[ImageSource]) -> ImageSource:
    return sources[0] if len(sources) == 1 else JoinedSource(sources)


def _list_files(options: Mapping[str, Any], parts: int) -> list[ListFile | None]:
    columns = tuple(options["meta_info_columns"])
    if not columns or len(set(columns)) != len(columns) or not set(columns) <= set(COLUMNS):
        raise InputError(
            "meta_info_columns must be [gt], [lq], [lq, gt] or [gt, lq], received "
            f"{options['meta_info_columns']!r}"
        )
    paths = options["meta_info_file"]
    if isinstance(paths, str) and parts > 1:
        raise InputError(f"meta_info_file must be a list with one file per root, {parts}")
    return [
        None if path is None else ListFile(Path(path), columns)
        for path in _per_root(paths, "meta_info_file", parts)
    ]


def _rule_list(rule: Any, parts: int) -> Any:
    """`name_rule` as one rule, or a list of `parts` rules.

    Two texts are an expression and its replacement, unless both are names of rules.
    """
    is_pair = isinstance(rule, (list, tuple)) and len(rule) == 2
    if is_pair and all(isinstance(text, str) for text in rule):
        names_rules = parts == 2 and all(text in NAME_RULES for text in rule)
        return list(rule) if names_rules else [rule] * parts
    return rule


def _per_root(value: Any, key: str, parts: int) -> list[Any]:
    """The value for every root: one for all, or a list with one each."""
    values = list(value) if isinstance(value, (list, tuple)) else [value] * parts
    if len(values) != parts:
        raise InputError(f"{key} must have one entry per root, {parts}, received {len(values)}")
    return values


def _listed(roots: Any) -> list[str]:
    return [roots] if isinstance(roots, str) else list(roots)
