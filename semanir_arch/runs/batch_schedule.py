"""How long a training is, and which samples every step takes: arithmetic alone.

A training reads one endless stream of samples, numbered from 0. Step s takes the next batch of it;
several processes share the batch, each a slice. BasicSR counts passes over the data instead, with
another rounding than its loader, and ends early or not at all:
https://github.com/XPixelGroup/HAT/issues/114
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from semanir_arch.utils.options import OptionError, Problem

__all__ = ["BatchSchedule", "Stage", "read_schedule", "read_stages"]

_KEY = ("datasets", "train", "progressive")


@dataclass(frozen=True)
class Stage:
    """Consecutive iterations with one batch and patch size.

    Args:
        iters: Iterations.
        batch: Samples of one step, over all processes.
        patch_size: Side of the patches in pixels of the target image; None for the dataset's own.
    """

    iters: int
    batch: int
    patch_size: int | None = None


@dataclass(frozen=True)
class BatchSchedule:
    """The stages of a training.

    Args:
        stages: Stages in order; together `total_iter` iterations or more.
        total_iter: Iterations.
        images: Images of the dataset.
        repetitions: BasicSR's `dataset_enlarge_ratio`: how often a pass, as it is counted in the
            log, shows every image. It does not change what is drawn.
        offset: Number added to the position of every sample: what an earlier part of the training
            has taken more, or less, than this schedule would have.
    """

    stages: tuple[Stage, ...]
    total_iter: int
    images: int
    repetitions: int = 1
    offset: int = 0

    def stage(self, iteration: int) -> Stage:
        """The stage of an iteration, counted from 1."""
        ends = list(accumulate(stage.iters for stage in self.stages))
        return self.stages[min(bisect_left(ends, iteration), len(ends) - 1)]

    def starts_stage(self, iteration: int) -> bool:
        """Whether an iteration is the first of a stage."""
        return iteration == 1 or self.stage(iteration) is not self.stage(iteration - 1)

    def consumed(self, iterations: int) -> int:
        """Samples that the first iterations take: the position of the next sample."""
        samples, left = self.offset, iterations
        for index, stage in enumerate(self.stages):
            last = index == len(self.stages) - 1
            taken = left if last else min(left, stage.iters)
            samples += taken * stage.batch
            left -= taken
        return samples

    def epoch(self, iteration: int) -> int:
        """Pass, counted from 0, in which an iteration starts."""
        return self.consumed(iteration - 1) // (self.images * self.repetitions)

    def passes(self) -> float:
        """Passes over the data in the whole training."""
        return self.consumed(self.total_iter) / (self.images * self.repetitions)


def read_stages(block: Mapping[str, Any], total_iter: int, processes: int) -> tuple[Stage, ...]:
    """The stages that an option block describes; a single one where nothing is progressive.

    Args:
        block: Options of `datasets:train`.
        total_iter: Iterations.
        processes: Factor of the batch per GPU: number of processes, or of GPUs of the one process.

    Raises:
        OptionError: A number is out of range, or the stages are shorter than the training.
    """
    default = {"batch_size_per_gpu": block.get("batch_size_per_gpu")}
    entries = block.get("progressive") or [{"iters": total_iter}]
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        _refuse(_KEY, f"received {entries!r}; expected a list of stages")
    stages = tuple(_read_stage({**default, **entry}, processes) for entry in entries)
    covered = sum(stage.iters for stage in stages)
    if covered < total_iter:
        _refuse(_KEY, f"the stages have {covered} iterations, but train:total_iter is {total_iter}")
    return stages


def read_schedule(
    block: Mapping[str, Any], total_iter: int, images: int, processes: int
) -> BatchSchedule:
    """The schedule that an option block and its images allow.

    Args:
        block: Options of `datasets:train`.
        total_iter: Iterations.
        images: Images of the dataset.
        processes: Factor of the batch per GPU; see `read_stages`.

    Raises:
        OptionError: There is no image; or a step would have to take an image twice although this is
            forbidden; or see `read_stages`.
    """
    if images < 1:
        _refuse(("datasets", "train"), f"{block['name']} has no images")
    stages = read_stages(block, total_iter, processes)
    largest = max(stage.batch for stage in stages)
    if largest > images and not block.get("allow_repeats", True):
        _refuse(
            ("datasets", "train", "allow_repeats"),
            f"received false, but {images} images cannot fill a batch of {largest} without "
            "repeating one; lower batch_size_per_gpu, or allow repeats",
        )
    return BatchSchedule(stages, total_iter, images, int(block.get("dataset_enlarge_ratio") or 1))


def _read_stage(entry: Mapping[str, Any], processes: int) -> Stage:
    known = {"iters", "batch_size_per_gpu", "patch_size"}
    if not entry.keys() <= known or "iters" not in entry:
        text = f"received {dict(entry)}; expected iters and, where they change, batch_size_per_gpu "
        _refuse(_KEY, text + "and patch_size")
    for key, value in entry.items():
        whole = isinstance(value, (int, float)) and int(value) == value
        if not whole or isinstance(value, bool) or value < (0 if key == "iters" else 1):
            _refuse(_KEY, f"{key}: received {value!r}; expected a positive integer")
    patch_size = entry.get("patch_size")
    return Stage(
        iters=int(entry["iters"]),
        batch=int(entry["batch_size_per_gpu"]) * processes,
        patch_size=None if patch_size is None else int(patch_size),
    )


def _refuse(key: tuple[str, ...], text: str) -> None:
    raise OptionError(Problem("", key, text))
