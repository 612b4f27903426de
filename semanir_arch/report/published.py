"""Figures printed in papers, from `published.yml`, to stand beside our own."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any

import yaml

from semanir_arch.metrics.protocols import PROTOCOLS
from semanir_arch.tasks import find_task
from semanir_arch.utils.errors import InputError

__all__ = ["Figure", "Published", "load_published", "parse_published"]

_MISSING = "_"


@dataclass(frozen=True)
class Figure:
    """One number of a paper.

    Args:
        paper: Title or method, and where to find it.
        table: Table of the paper, in words.
        source: Source where the number was read.
        verified: Whether it could be read there, rather than being quoted from memory.
        network: Name in the paper.
        blind: Whether one network serves all levels.
        task: Name in `semanir_arch.tasks.TASKS`.
        dataset: Name that option files give the set.
        level: Level of noise, quality or scale; None for tasks without levels.
        metric: `psnr`, `ssim`, `mae` or `lpips`.
        value: Value as printed.
        protocol: Protocol of the paper, one of `PROTOCOLS`.
    """

    paper: str
    table: str
    source: str
    verified: bool
    network: str
    blind: bool
    task: str
    dataset: str
    level: float | None
    metric: str
    value: float
    protocol: str

    @property
    def label(self) -> str:
        """Name of the network, with a word about blind ones."""
        return f"{self.network} (blind)" if self.blind else self.network

    @property
    def short_paper(self) -> str:
        """The paper in a word or two."""
        return re.split(r",| \(", self.paper, maxsplit=1)[0]

    @property
    def is_own(self) -> bool:
        """Whether the paper is that of the network, rather than one that quotes it."""
        return self.network.startswith(self.short_paper)


@dataclass(frozen=True)
class Published:
    """All figures, and what is needed to compare with them.

    Args:
        figures: Figures in the order of the file.
        images: Number of images of a set, where it is known.
        networks: Networks by their name in papers: class, and lowest and highest million
            parameters.
    """

    figures: tuple[Figure, ...]
    images: Mapping[str, int]
    networks: Mapping[str, tuple[str, float, float]]

    def name_of(self, network_type: str, parameters: int) -> list[str]:
        """Name of a network in papers; empty if no table has it.

        Args:
            network_type: Class of the network.
            parameters: Number of its parameters.
        """
        return [
            name
            for name, (kind, low, high) in self.networks.items()
            if kind == network_type and low * 1e6 <= parameters <= high * 1e6
        ]


@functools.cache
def load_published() -> Published:
    """Read the file that comes with the package."""
    path = resources.files("semanir_arch.report").joinpath("published.yml")
    return parse_published(path.read_text(encoding="utf-8"))


def parse_published(text: str) -> Published:
    """Read figures in the layout of `published.yml`.

    Raises:
        ValueError: A row has not as many cells as its table has columns, a cell not as many numbers
            as the table has metrics, a protocol or task is unknown, or two entries are the same.
    """
    content = yaml.safe_load(text)
    figures = tuple(
        figure
        for table in content["tables"]
        for group in table["groups"]
        for figure in _read_group(table, group)
    )
    seen: set[Figure] = set()
    for figure in figures:
        entry = replace(figure, value=0.0)
        if entry in seen:
            raise InputError(f"{_where(figure)} is given twice")
        seen.add(entry)
    networks = {
        name: (known["type"], *known["parameters"]) for name, known in content["networks"].items()
    }
    return Published(figures, content["sets"], networks)


def _read_group(table: dict[str, Any], group: dict[str, Any]) -> Iterator[Figure]:
    if group["protocol"] not in PROTOCOLS:
        raise InputError(f"{table['table']}: unknown protocol {group['protocol']!r}")
    task = find_task(table["task"])
    if task is None:
        raise InputError(f"{table['table']}: unknown task {table['task']!r}")
    columns = [(name, level) for name, levels in table["columns"].items() for level in levels]
    for network, row in group["rows"].items():
        cells = str(row).split()
        where = f"{table['paper']}, {table['table']}, {network}"
        if len(cells) != len(columns):
            raise InputError(f"{where}: {len(cells)} cells for {len(columns)} columns")
        for (dataset, level), cell in zip(columns, cells, strict=True):
            for metric, value in _read_cell(cell, table["metrics"], where):
                yield Figure(
                    paper=table["paper"],
                    table=table["table"],
                    source=table["source"],
                    verified=table.get("verified", True),
                    network=network,
                    blind=group.get("blind", False),
                    task=task.name,
                    dataset=dataset,
                    level=None if level is None else float(level),
                    metric=metric,
                    value=value,
                    protocol=group["protocol"],
                )


def _read_cell(cell: str, metrics: list[str], where: str) -> Iterator[tuple[str, float]]:
    if cell == _MISSING:
        return
    numbers = cell.split("/")
    if len(numbers) != len(metrics):
        raise InputError(f"{where}: {cell!r} must hold {'/'.join(metrics)}")
    for metric, number in zip(metrics, numbers, strict=True):
        if number != _MISSING:
            yield metric, float(number)


def _where(figure: Figure) -> str:
    return f"{figure.paper}, {figure.table}, {figure.label}, {figure.dataset} {figure.level}"
