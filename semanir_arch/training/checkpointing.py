"""Writes the states of a training, and refuses to write what would replace something better."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from semanir_arch.runs.batch_schedule import BatchSchedule
from semanir_arch.training.states import (
    Manifest,
    describe_files,
    is_complete,
    is_ours,
    list_states,
    manifest_path,
    remove_state,
)
from semanir_arch.utils.atomic import copy_file
from semanir_arch.utils.errors import InputError, SaveError

__all__ = ["SaveError", "Saver", "restore"]

_LOGGER = logging.getLogger("basicsr")
_LATEST = -1
_MEGABYTE = 2**20


class Saver:
    """Saves one training; only the first process writes.

    Args:
        model: Model of any class of BasicSR.
        options: Complete options.
        schedule: Batch schedule, which tells the position in the data.
        manifest: Manifest of the state that the training continues from.
        arithmetic: Arithmetic of the training; kept in every state.
    """

    def __init__(
        self,
        model: Any,
        options: dict[str, Any],
        schedule: BatchSchedule,
        manifest: Manifest | None = None,
        arithmetic: Mapping[str, Any] | None = None,
    ) -> None:
        self._model = model
        self._schedule = schedule
        self._seed = options["manual_seed"]
        self._writes = options["rank"] == 0
        self._keep = options["logger"].get("keep_states")
        self._best: Mapping[str, str] | None = options["logger"].get("keep_best")
        self._experiment = Path(options["path"]["experiments_root"])
        self._manifest = manifest
        self._arithmetic = dict(arithmetic or {})
        self.newest = manifest.iteration if manifest else 0
        self._forget_old()

    def save(self, iteration: int, is_settled: bool) -> None:
        """Save networks, training state and manifest, then delete what is too old.

        Args:
            iteration: Iterations that have been run; nothing happens if they are saved.
            is_settled: Whether all that follows the step has happened; see `Manifest`.

        Raises:
            SaveError: The disk is full or cannot be written to, or a weight is not finite.
        """
        if not self._writes or iteration == self.newest:
            return
        _LOGGER.info("Saving models and training states.")
        epoch = self._schedule.epoch(iteration)
        manifest = self._describe(iteration, is_settled)
        with self._explaining():
            self._check_weights()
            manifest.write(self._experiment)
            self._model.save(epoch, iteration)
            manifest = replace(manifest, files=describe_files(self._experiment, iteration))
            manifest.write(self._experiment)
        self._manifest, self.newest = manifest, iteration
        self._forget_old()

    def save_latest(self) -> None:
        """Save the networks as `net_*_latest.pth`.

        Raises:
            SaveError: See `save`.
        """
        if self._writes:
            with self._explaining():
                self._check_weights()
                self._model.save(_LATEST, _LATEST)

    def save_best(self, iteration: int) -> None:
        """Save the networks as `net_*_best.pth`, if the last validation was the best so far.

        Raises:
            SaveError: See `save`.
            ValueError: `logger:keep_best` names a metric that was not measured.
        """
        if not self._writes or self._best is None:
            return
        dataset, metric = self._best["dataset"], self._best["metric"]
        measured = getattr(self._model, "best_metric_results", {}).get(dataset, {})
        if metric not in measured:
            known = ", ".join(measured) or "nothing"
            raise InputError(
                f"logger:keep_best: metric {metric!r} is not measured on {dataset!r}: {known}"
            )
        if measured[metric]["iter"] == iteration:
            _LOGGER.info("Best %s on %s so far: saving net_*_best.pth.", metric, dataset)
            self.save_latest()
            with self._explaining():
                for file in (self._experiment / "models").glob("net_*_latest.pth"):
                    label = file.name.removesuffix("_latest.pth")
                    copy_file(file, file.with_name(f"{label}_best.pth"))

    def settle(self, iteration: int) -> None:
        """Note, if an iteration is saved, that all that follows it has happened.

        Raises:
            SaveError: See `save`.
        """
        # A state of another experiment, from which this one continues, is not ours to change.
        here = self._writes and manifest_path(self._experiment, iteration).is_file()
        if here and self._manifest and self._manifest.iteration == iteration:
            best = _plain(getattr(self._model, "best_metric_results", {}))
            self._manifest = replace(self._manifest, is_settled=True, best=best)
            with self._explaining():
                self._manifest.write(self._experiment)

    def _describe(self, iteration: int, is_settled: bool) -> Manifest:
        return Manifest(
            iteration=iteration,
            samples=self._schedule.consumed(iteration),
            seed=self._seed,
            batch=self._schedule.stage(iteration).batch,
            is_settled=is_settled,
            best=_plain(getattr(self._model, "best_metric_results", {})),
            arithmetic=self._arithmetic,
        )

    def _forget_old(self) -> None:
        """Delete what is too old, and what was never completed.

        States of BasicSR stay, and those whose manifest is damaged.
        """
        if self._keep is None or not self._writes:
            return
        ours = [
            iteration
            for iteration in list_states(self._experiment)
            if iteration <= self.newest and is_ours(self._experiment, iteration)
        ]
        complete = [iteration for iteration in ours if is_complete(self._experiment, iteration)]
        for iteration in set(ours) - set(complete[: int(self._keep)]):
            remove_state(self._experiment, iteration)

    def _check_weights(self) -> None:
        """Keep what is not finite from taking the place of what is."""
        for name, network in _networks(self._model):
            for key, value in network.state_dict().items():
                if value.is_floating_point() and not bool(value.isfinite().all()):
                    raise SaveError(f"{name}: {key} is not finite. {self._what_is_left()}")

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            needed = _size([network.state_dict() for _, network in _networks(self._model)])
            needed += _size([optimizer.state_dict() for optimizer in self._model.optimizers])
            folders = (self._experiment, *self._experiment.parents)
            free = shutil.disk_usage(next(path for path in folders if path.exists())).free
            raise SaveError(
                f"{error.filename or self._experiment}: cannot be written: {error.strerror}; a "
                f"state takes about {_megabytes(needed)}, {_megabytes(free)} are free. "
                f"{self._what_is_left()}"
            ) from error

    def _what_is_left(self) -> str:
        if not (self._experiment / "training_states" / f"{self.newest}.state").is_file():
            return "No state is saved."
        return f"The state of iteration {self.newest} is intact."


def restore(model: Any, state: Mapping[str, Any], best: Mapping[str, Any]) -> None:
    """Load a training state into a model; its networks are loaded when it is built.

    Args:
        model: Model of any class of BasicSR.
        state: Content of a `.state` file, of ours or of plain BasicSR.
        best: Best metrics so far, in the form of BasicSR's `best_metric_results`.
    """
    if hasattr(model, "load_training_state"):
        model.load_training_state(state)
    else:
        model.resume_training(state)
    if best:
        model.best_metric_results = dict(best)


def _networks(model: Any) -> Iterator[tuple[str, nn.Module]]:
    for name, value in vars(model).items():
        if name.startswith("net_") and isinstance(value, nn.Module):
            yield name, value


def _plain(value: Any) -> Any:
    """Numbers of NumPy as numbers of Python: a file with the former cannot be read safely."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    return value.item() if isinstance(value, np.generic) else value


def _size(value: Any) -> int:
    """Bytes of all tensors in nested containers."""
    if isinstance(value, torch.Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, Mapping):
        return sum(map(_size, value.values()))
    return sum(map(_size, value)) if isinstance(value, (list, tuple)) else 0


def _megabytes(size: int) -> str:
    return f"{size / _MEGABYTE:.1f} MB"
