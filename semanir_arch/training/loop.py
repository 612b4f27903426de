"""The training loop: exactly `total_iter` steps, whatever happens in between.

It replaces the loop of BasicSR's `train_pipeline`, in the same order: learning rate, batch, step,
log, save, validate.
"""

from __future__ import annotations

import datetime
import logging
import math
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch.utils.data import DataLoader

from semanir_arch import host
from semanir_arch.training.checkpointing import Saver
from semanir_arch.training.observer import Observer, Times, TrainingFacts
from semanir_arch.training.random_states import Purpose, seed_process
from semanir_arch.utils import processes
from semanir_arch.utils.memory import describe_peak
from semanir_arch.utils.signals import StopRequest

__all__ = ["Loop"]

_LOGGER = logging.getLogger("basicsr")


@dataclass
class Loop:
    """One training, from iteration `done` + 1 to the last.

    Args:
        facts: The training.
        batches: Batches of this process, from iteration `done` + 1 on.
        validation: Loaders of the validation sets.
        saver: Writer of the states.
        stop: Whether a signal asks to stop.
        observers: Objects that are told what happens.
        is_settled: Whether all that follows the step of iteration `done` has happened: a run may be
            killed between saving and validation.
    """

    facts: TrainingFacts
    batches: Iterator[dict[str, Any]]
    validation: Sequence[DataLoader[Any]]
    saver: Saver
    stop: StopRequest
    observers: Sequence[Observer] = ()
    is_settled: bool = True
    _message: Any = field(init=False)

    def __post_init__(self) -> None:
        options, utils = self.facts.options, host.load("basicsr.utils")
        self._message = utils.MessageLogger(options, self.facts.done, self.facts.tb_logger)
        # BasicSR's time to go ends one iteration below zero.
        self._message.max_iters += 1
        self._data_timer, self._timer = utils.AvgTimer(), utils.AvgTimer()

    def run(self) -> signal.Signals | None:
        """Train to the end, or until a signal.

        Returns:
            The signal that stopped the training, or None.
        """
        started = time.monotonic()
        for observer in self.observers:
            observer.started(self.facts)
        try:
            stopped = self._iterate()
        finally:
            for observer in self.observers:
                observer.finished()
        if stopped is None:
            consumed = datetime.timedelta(seconds=int(time.monotonic() - started))
            _LOGGER.info("End of training. Time consumed: %s", consumed)
        return stopped

    def _iterate(self) -> signal.Signals | None:
        iteration = self.facts.done
        if not self.is_settled:
            self._settle(iteration)
        while iteration < self.facts.schedule.total_iter:
            data = self._next_batch(iteration)
            iteration += 1
            self._step(iteration, data)
            stopped = self.stop.agreed()
            if stopped is not None and iteration < self.facts.schedule.total_iter:
                # Who stops a run may not wait for a validation; it comes after the resume.
                self.saver.save(iteration, is_settled=False)
                return stopped
            self._save(iteration)
            self._settle(iteration)
        return None

    def _next_batch(self, done: int) -> dict[str, Any]:
        self._data_timer.start()
        self._timer.start()
        try:
            data = next(self.batches)
        except (EOFError, LookupError, OSError, RuntimeError, ValueError):
            # An unreadable image, or a loading process that was killed: the model is still good.
            self.saver.save(done, is_settled=True)
            raise
        self._data_timer.record()
        return data

    def _step(self, iteration: int, data: dict[str, Any]) -> None:
        options, model = self.facts.options, self.facts.model
        seed_process(options["manual_seed"], Purpose.STEP, iteration, options["rank"])
        if iteration > 1 and self.facts.schedule.starts_stage(iteration):
            self._tell_stage(iteration)
        model.update_learning_rate(iteration, warmup_iter=options["train"].get("warmup_iter", -1))
        model.feed_data(data)
        model.optimize_parameters(iteration)
        self._timer.record()
        if iteration == self.facts.done + 1:
            _LOGGER.info("Memory after the first step: %s", describe_peak())
            self._message.reset_start_time()
        log = model.get_current_log()
        if iteration % options["logger"]["print_freq"] == 0:
            self._message(
                {
                    "epoch": self.facts.schedule.epoch(iteration),
                    "iter": iteration,
                    "lrs": model.get_current_learning_rate(),
                    "time": self._timer.get_avg_time(),
                    "data_time": self._data_timer.get_avg_time(),
                    **log,
                }
            )
        times = Times(self._data_timer.get_current_time(), self._timer.get_current_time())
        for observer in self.observers:
            observer.step(iteration, log, times)

    def _save(self, iteration: int) -> None:
        frequency = self.facts.options["logger"]["save_checkpoint_freq"]
        if iteration % frequency == 0 or iteration == self.facts.schedule.total_iter:
            self.saver.save(iteration, is_settled=False)

    def _settle(self, iteration: int) -> None:
        """Do what follows a step, and save its state again if the run was killed then."""
        is_last = iteration == self.facts.schedule.total_iter
        val = self.facts.options.get("val")
        if is_last:
            _LOGGER.info("Save the latest model.")
            self.saver.save_latest()
        if val is not None and (is_last or iteration % val.get("val_freq", math.inf) == 0):
            self._validate(iteration, val)
        self.saver.settle(iteration)

    def _validate(self, iteration: int, val: Mapping[str, Any]) -> None:
        model, save_img = self.facts.model, val.get("save_img", False)
        seed = self.facts.options["manual_seed"]
        for loader in self.validation:
            seed_process(seed, Purpose.VALIDATION, iteration)
            model.validation(loader, iteration, self.facts.tb_logger, save_img)
            for observer in self.observers:
                observer.validated(iteration, loader.dataset.opt["name"])  # type: ignore[attr-defined]
        # Models of BasicSR validate in the first process alone, for longer than a collective waits.
        processes.wait_for_all()
        if self.validation:
            self.saver.save_best(iteration)

    def _tell_stage(self, iteration: int) -> None:
        stage = self.facts.schedule.stage(iteration)
        _LOGGER.info(
            "Progressive stage from iteration %s: patches of %s pixels, %s per step. "
            "Memory so far: %s",
            *(f"{iteration:,d}", stage.patch_size, stage.batch, describe_peak()),
        )
