"""Keeps the scores and some images of a test, and gives back those of an interrupted one."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from semanir_arch.data.files.image_io import write_image
from semanir_arch.evaluation.countdown import Countdown
from semanir_arch.evaluation.records import Record, RecordFile, read_records
from semanir_arch.metrics.scores import Example, Keeper, Row
from semanir_arch.utils import processes

__all__ = ["ScoreCache", "Set"]

_LOGGER = logging.getLogger("basicsr")
_EXAMPLES = "examples"
_PARTS = ("input", "output", "target")


@dataclass(frozen=True)
class Set:
    """One data set under one setting.

    Args:
        name: Name of the data set.
        label: The setting in words; empty if nothing is swept.
        folder: Folder of the setting's images; empty if nothing is swept.
        key: Cache key, made from everything that affects the scores.
    """

    name: str
    label: str
    folder: str
    key: str

    @property
    def title(self) -> str:
        """Name of set and setting in words."""
        return f"{self.name} {self.label}".strip()


class ScoreCache(Keeper):
    """Writes every score down as soon as it is known.

    Args:
        folder: Folder of the results.
        settings: Number of settings to test.
        examples: Images of each set to keep for the page; spread evenly over the set.
    """

    def __init__(self, folder: Path, settings: int, examples: int) -> None:
        self._folder = folder
        self._countdown = Countdown(settings)
        self._examples = examples
        self._file = RecordFile(folder, processes.rank())
        self._records: dict[str, dict[int, Record]] = {}
        for record in read_records(folder) if processes.rank() == 0 else []:
            self._records.setdefault(record.key, {})[record.index] = record
        self._sets: Mapping[str, Set] = {}
        self._writes_images = False
        self._chosen: dict[str, set[int]] = {}
        self.reused: dict[str, int] = {}

    def begin(self, sets: Mapping[str, Set], images: int, writes_images: bool) -> None:
        """Another setting begins.

        Args:
            sets: Sets to measure, by the name of the data set.
            images: Number of images in all sets.
            writes_images: Whether all restored images are written.
        """
        self._sets, self._writes_images = sets, writes_images
        self._chosen.clear()
        self._countdown.begin_setting(images)

    def known(self, dataset: str, count: int) -> dict[int, Row]:
        """Scores of earlier runs whose images are still there."""
        current = self._sets[dataset]
        self._chosen[dataset] = _spread(count, self._examples)
        found = self._records.get(current.key, {}) if processes.rank() == 0 else {}
        rows: dict[int, Row] = processes.broadcast(
            {
                index: record.row
                for index, record in found.items()
                if index < count and self._is_complete(dataset, record)
            }
        )
        self.reused[current.key] = len(rows)
        if rows:
            _LOGGER.info(
                "%s: %d of %d images were measured before", current.title, len(rows), count
            )
        self._countdown.begin_set(current.title, len(rows))
        return rows

    def wants_example(self, dataset: str, index: int) -> bool:
        """Whether the images are for the page."""
        return index in self._chosen[dataset]

    def measured(
        self, dataset: str, index: int, row: Row, example: Example | None, path: Path | None
    ) -> None:
        """Write the images, then the record that counts on them."""
        current = self._sets[dataset]
        files = [] if path is None else [path]
        if example is not None:
            for part, pixels in example.parts.items():
                file = self.example_path(current, index, part)
                write_image(file, pixels)
                files.append(file)
        relative = tuple(file.relative_to(self._folder).as_posix() for file in files)
        self._file.add(Record(current.key, current.title, index, row, relative))
        self._countdown.step()

    def example_path(self, measured: Set, index: int, part: str) -> Path:
        """Path of an image for the page: its `input`, `output` or `target`."""
        folder = self._folder / _EXAMPLES / measured.folder / measured.name
        return folder / f"{index:05d}_{part}.png"

    def find_examples(self, measured: Set, count: int) -> dict[int, dict[str, Path]]:
        """Images for the page that are there, by place in the set and by part.

        Args:
            measured: The set, of the current setting.
            count: Images in it.
        """
        paths = {
            index: {part: self.example_path(measured, index, part) for part in _PARTS}
            for index in sorted(_spread(count, self._examples))
        }
        return {
            index: {part: path for part, path in parts.items() if path.is_file()}
            for index, parts in paths.items()
        }

    def close(self) -> None:
        """Close the file, and end the live line."""
        self._file.close()
        self._countdown.close()

    def _is_complete(self, dataset: str, record: Record) -> bool:
        """Whether all images that this run is to have are there."""
        if not all((self._folder / file).is_file() for file in record.files):
            return False
        if self._writes_images and all(file.startswith(_EXAMPLES) for file in record.files):
            return False
        example = self.example_path(self._sets[dataset], record.index, "output")
        return example.is_file() or not self.wants_example(dataset, record.index)


def _spread(count: int, wanted: int) -> set[int]:
    """Places of at most `wanted` images, the first and the last among them."""
    if count <= wanted:
        return set(range(count))
    if wanted <= 1:
        return set(range(wanted))
    return {round(i * (count - 1) / (wanted - 1)) for i in range(wanted)}
