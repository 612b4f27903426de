"""The endless stream of training samples, and the dataset that gives each its random numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, Sampler

from semanir_arch.runs.batch_schedule import BatchSchedule
from semanir_arch.training.random_states import (
    Purpose,
    derive_seed,
    preserved_states,
    seed_sample,
)
from semanir_arch.utils.errors import InputError

__all__ = ["BatchStream", "Sample", "SeededDataset"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One place in the stream.

    Args:
        index: Index of the image in the data set.
        position: Place in the whole training, counted from 0; all randomness depends on it.
        patch_size: Side of the patch in pixels of the target image; None for the dataset's own.
    """

    index: int
    position: int
    patch_size: int | None


class BatchStream(Sampler[list[Sample]]):
    """The batches of one process, from any iteration to the last.

    Every pass shows every image once, in an order that depends on the seed and the pass. A batch
    may end one pass and begin the next, so that a set may be smaller than a batch. What a step
    takes does not depend on the number of loading processes, nor, for an equal batch of all
    processes together, on the number of processes.

    BasicSR's `EnlargedSampler` orders a pass by its number alone, whatever the seed, and a resumed
    training begins its pass again.

    Args:
        schedule: Batch and patch size of every step.
        seed: The run's `manual_seed`.
        done: Iterations that have been run.
        rank: Number of this process.
        processes: Processes that share a batch.
    """

    def __init__(
        self, schedule: BatchSchedule, seed: int, done: int = 0, rank: int = 0, processes: int = 1
    ) -> None:
        self._schedule = schedule
        self._seed = seed
        self._done = done
        self._rank = rank
        self._processes = processes

    def __len__(self) -> int:
        """Batches that are left."""
        return max(self._schedule.total_iter - self._done, 0)

    def __iter__(self) -> Iterator[list[Sample]]:
        """Batches in order."""
        for iteration in range(self._done + 1, self._schedule.total_iter + 1):
            stage = self._schedule.stage(iteration)
            share = stage.batch // self._processes
            first = self._schedule.consumed(iteration - 1) + self._rank * share
            yield [
                Sample(self._index(position), position, stage.patch_size)
                for position in range(first, first + share)
            ]

    def _index(self, position: int) -> int:
        number, place = divmod(position, self._schedule.images)
        return int(_order(self._seed, number, self._schedule.images)[place])


@lru_cache(maxsize=2)
def _order(seed: int, number: int, images: int) -> NDArray[np.int64]:
    """Order of the images in one pass."""
    generator = torch.Generator().manual_seed(derive_seed(seed, Purpose.ORDER, number))
    return torch.randperm(images, generator=generator).numpy()


class SeededDataset(Dataset[Any]):
    """Gives a dataset, of BasicSR or of this package, its random numbers sample by sample.

    Args:
        dataset: The dataset.
        seed: The run's `manual_seed`.
        sets_patch_size: Whether samples bring a patch size.

    Raises:
        ValueError: The dataset cannot change its patch size, but the samples will.
    """

    def __init__(self, dataset: Any, seed: int, sets_patch_size: bool = False) -> None:
        self.dataset = dataset
        self._seed = seed
        if sets_patch_size and not (hasattr(dataset, "patch_size") or "gt_size" in dataset.opt):
            raise InputError(
                f"datasets:train:progressive: {type(dataset).__name__} has neither patch_size nor "
                "gt_size, so its patches cannot grow"
            )

    def __len__(self) -> int:
        """Number of images."""
        dataset: Sized = self.dataset
        return len(dataset)

    def __getitems__(self, samples: list[Sample]) -> list[Any]:
        """The items of samples: the same in whichever process, and after a resume."""
        with preserved_states():
            return [self._load(sample) for sample in samples]

    def _load(self, sample: Sample) -> Any:
        if sample.patch_size is not None:
            if hasattr(self.dataset, "patch_size"):
                self.dataset.patch_size = sample.patch_size
            else:
                self.dataset.opt["gt_size"] = sample.patch_size
        seed_sample(self._seed, sample.position)
        return self.dataset[sample.index]
