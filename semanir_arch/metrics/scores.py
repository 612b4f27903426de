"""Scores of restored images, row by row, and their means."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

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
        image: Name of the image.
        input: Scores of the degraded image; empty where it has another size than the target.
        output: Scores of the restored image; empty where there is no target.
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
    """Is told every image of an evaluation, and may know some of them beforehand.

    This one keeps nothing; a benchmark's writes all scores down.
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
            row: Its scores.
            example: The images, where `wants_example` asked for them.
            path: Where the restored image was written, or None.
        """


@dataclass
class Evaluation:
    """Scores of one dataset.

    Args:
        dataset: Name of the dataset.
        protocol: Name of the evaluation protocol, or None where only single metrics were asked for.
        rows: One per image.
    """

    dataset: str
    protocol: str | None
    rows: list[Row] = field(default_factory=list)

    def means(self) -> dict[str, float]:
        """Mean over the images of every score of the restored images."""
        names = self.rows[0].output if self.rows else {}
        return {name: mean(row.output[name] for row in self.rows)[0] for name in names}


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
