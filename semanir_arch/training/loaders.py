"""From option blocks to batches: the training's stream, and the validation sets."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch.utils.data import DataLoader

from semanir_arch.runs.batch_schedule import BatchSchedule, read_schedule
from semanir_arch.runs.building import build_dataset, build_loader
from semanir_arch.training.patch_check import compare_patch_with_images
from semanir_arch.training.sampling import BatchStream, SeededDataset
from semanir_arch.utils.errors import UserError
from semanir_arch.utils.options import OptionError, Problem
from semanir_arch.utils.signals import ignore_signals

__all__ = ["LoadingError", "build_training_set", "build_validation_loaders", "open_batches"]

Batch = dict[str, Any]


class LoadingError(UserError, RuntimeError):
    """A loading process has died; the message says what can be done."""


def build_training_set(options: dict[str, Any]) -> tuple[SeededDataset, BatchSchedule]:
    """The training set, and how its samples are taken.

    Args:
        options: Complete options, as BasicSR parses them.

    Raises:
        OptionError: There is no training set; or as `read_schedule`, or
            `compare_patch_with_images`.
        ValueError: The dataset refuses its options.
    """
    block = options["datasets"].get("train")
    if block is None:
        raise OptionError(Problem("", ("datasets", "train"), "missing; a training needs one"))
    dataset = build_dataset("train", block)
    total = int(options["train"]["total_iter"])
    schedule = read_schedule(block, total, len(dataset), _shares(options))
    compare_patch_with_images(dataset, block, schedule)
    return SeededDataset(dataset, options["manual_seed"], bool(block.get("progressive"))), schedule


def build_validation_loaders(
    options: dict[str, Any], logger: logging.Logger
) -> list[DataLoader[Any]]:
    """One loader per validation set, one image per batch."""
    loaders = []
    for phase, block in options["datasets"].items():
        if phase.split("_")[0] == "val":
            loaders.append(loader := build_loader(phase, block))
            images = len(loader.dataset)  # type: ignore[arg-type]
            logger.info("Number of val images/folders in %s: %d", block["name"], images)
    return loaders


@contextmanager
def open_batches(
    dataset: SeededDataset, schedule: BatchSchedule, options: dict[str, Any], done: int
) -> Generator[Iterator[Batch], None, None]:
    """Batches of this process from iteration `done` + 1 to the last.

    The loading processes are started once; BasicSR starts them again in every pass. They keep two
    batches ready each, or `num_prefetch_queue` with `prefetch_mode: cpu`, for which BasicSR has a
    thread of its own.

    Args:
        dataset: Data set from `build_training_set`.
        schedule: Batch schedule from `build_training_set`.
        options: Complete options.
        done: Iterations that have been run.

    Raises:
        LoadingError: A loading process has died, whatever the main process was doing then.
    """
    block = options["datasets"]["train"]
    workers = block["num_worker_per_gpu"] * (1 if options["dist"] else _shares(options))
    to_gpu = block.get("prefetch_mode") == "cuda" and options["num_gpu"] != 0
    loader = DataLoader(
        dataset,
        batch_sampler=BatchStream(
            schedule, options["manual_seed"], done, options["rank"], options["world_size"]
        ),
        num_workers=workers,
        pin_memory=to_gpu or bool(block.get("pin_memory")),
        prefetch_factor=max(2, block.get("num_prefetch_queue", 1)) if workers else None,
        worker_init_fn=ignore_signals,
    )
    batches = iter(loader)
    try:
        yield _to_gpu(batches) if to_gpu else batches
    except (EOFError, OSError, RuntimeError) as error:
        # Torch notices at any time, and the connection to the process breaks.
        codes = _exit_codes(batches) if workers else []
        if not any(codes):
            raise
        raise LoadingError(
            f"a loading process was killed (exit codes {codes}), perhaps because memory ran out. "
            "Continue with --auto_resume; a smaller num_worker_per_gpu needs less memory"
        ) from error
    finally:
        if workers:
            _end_workers(batches)


def _exit_codes(batches: Any) -> list[int | None]:
    """Exit codes of the loading processes; None for those that live, below 0 for signals."""
    for worker in batches._workers:
        # torch's handler of SIGCHLD raises in whatever runs when the death is noticed
        with suppress(RuntimeError):
            worker.join(timeout=0.1)
    return [worker.exitcode for worker in batches._workers]


def _end_workers(batches: Any) -> None:
    """End the loading processes now, not whenever the garbage is collected."""
    batches._shutdown_workers()
    for worker in batches._workers:
        if worker.is_alive():
            # Stuck in an image; it does not hear SIGTERM.
            worker.kill()


def _shares(options: dict[str, Any]) -> int:
    """Factor of batch and loading processes: number of processes, or of GPUs of the one process."""
    return options["world_size"] if options["dist"] else max(1, options["num_gpu"])


def _to_gpu(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Copy the next batch to the GPU while the present one is trained on."""
    stream = torch.cuda.Stream()

    def copy() -> Batch | None:
        batch = next(batches, None)
        if batch is None:
            return None
        with torch.cuda.stream(stream):
            return {
                key: value.cuda(non_blocking=True) if torch.is_tensor(value) else value
                for key, value in batch.items()
            }

    ahead = copy()
    while ahead is not None:
        torch.cuda.current_stream().wait_stream(stream)
        for value in ahead.values():
            if torch.is_tensor(value):
                # Its memory must not be reused before the step that reads it has run.
                value.record_stream(torch.cuda.current_stream())
        present, ahead = ahead, copy()
        yield present
