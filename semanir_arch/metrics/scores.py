"""Scores of restored images, row by row, and their means."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from semanir_arch.metrics.metric_names import ExtraMetric, protocol_scores

__all__ = ["Evaluation", "Example", "Keeper", "Row", "mean"]


@dataclass(frozen=True)
class Example:
    """One restored image to look at.

    Args:
        image: Name of the image.
        parts: `input`, `output` and, where there is one, `target`: shape (H, W, C), RGB or gray.
    """

    image: str
    parts: dict[str, npt.NDArray[np.uint8]]


@dataclass(frozen=True)
class Row:
    """Scores of one image, and what they cost.

    Args:
        image: Name of the image, unique in its data set, with the folders below its root.
        input: Scores of the degraded image; without a target, or one of another size, only those
            that need none.
        output: Scores of the restored image; without a target only those that need none.
        seconds: Time of restoring it, without reading and scoring; None where it was not taken.
        memory: Bytes that the process had used at most by then; None where the system does not say.
        tile: Side of the tiles it was restored in, in pixels; None if whole.
    """

    image: str
    input: dict[str, float]
    output: dict[str, float]
    seconds: float | None = field(default=None, compare=False)
    memory: int | None = field(default=None, compare=False)
    tile: int | None = None


class Keeper:
    """Observer that is told every image of an evaluation, and may know some of them beforehand.

    This one keeps nothing; that of a test writes all scores down.
    """

    def known(self, dataset: str, count: int) -> dict[int, Row]:  # noqa: ARG002
        """Scores that need not be computed again, by the image's place in the set.

        Every process of a run calls it, and all get the same.

        Args:
            dataset: Name of the set.
            count: Images in it.
        """
        return {}

    def wants_example(self, dataset: str, index: int) -> bool:  # noqa: ARG002
        """Whether `measured` is to get the images themselves."""
        return False

    def measured(
        self, dataset: str, index: int, row: Row, example: Example | None, path: Path | None
    ) -> None:
        """One image has been restored, scored and, if wanted, written.

        Args:
            dataset: Name of the set.
            index: Place of the image in the set.
            row: Scores of the image.
            example: The images, where `wants_example` asked for them.
            path: Path of the written restored image, or None.
        """


@dataclass
class Evaluation:
    """Scores of one dataset.

    Args:
        dataset: Name of the dataset.
        protocol: Name of the evaluation protocol, or None where only single metrics were asked for.
        rows: Scores, one row per image.
        extras: Scores that are not the protocol's, by their names in the rows.
        source: Origin of the extras, as headings name it.
    """

    dataset: str
    protocol: str | None
    rows: list[Row] = field(default_factory=list)
    extras: Mapping[str, ExtraMetric] = field(default_factory=dict)
    source: str = "val:metrics"

    @property
    def names(self) -> list[str]:
        """All scores that at least one restored image has, the protocol's first."""
        found = dict.fromkeys(name for row in self.rows for name in row.output)
        return sorted(found, key=lambda name: name in self.extras)

    def means(self) -> dict[str, float]:
        """Mean over the images of every score of the restored images."""
        return {
            name: mean(row.output[name] for row in self.rows if name in row.output)[0]
            for name in self.names
        }

    def notes(self) -> list[str]:
        """Sentences on what was asked for and not measured, for want of targets."""
        wanted = dict.fromkeys(protocol_scores(self.protocol), f"protocol {self.protocol}")
        wanted |= {name: f"{self.source}:{extra.name}" for name, extra in self.extras.items()}
        absent: dict[int, dict[str, None]] = {}
        for name, asked in wanted.items():
            count = sum(name not in row.output for row in self.rows)
            if count:
                absent.setdefault(count, {})[asked] = None
        return [
            f"{self.dataset}: {count} of {len(self.rows)} images have no target, so that "
            f"{', '.join(asked)} {'is' if len(asked) == 1 else 'are'} not measured on them."
            for count, asked in absent.items()
        ]


def mean(values: Iterable[float]) -> tuple[float, int]:
    """Mean of the finite values, and how many were left out.

    The PSNR of identical images is infinite, and the SSIM of images smaller than its window is not
    a number; one of them would make the mean of a whole dataset meaningless.

    Returns:
        The mean, and the number of values left out; where none is finite, all count.
    """
    everything = list(values)
    finite = [value for value in everything if math.isfinite(value)]
    kept = finite or everything
    return sum(kept) / len(kept) if kept else math.nan, len(everything) - len(kept)
