"""One training from parsed options to its end: folders, seed, logs, data, model, loop."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from signal import Signals
from typing import Any

import torch

from semanir_arch import host
from semanir_arch.ops.backend import choose_freely
from semanir_arch.runs.arithmetic import Arithmetic, agree
from semanir_arch.runs.batch_schedule import BatchSchedule
from semanir_arch.runs.building import build_model
from semanir_arch.runs.result_names import check_item_names
from semanir_arch.runs.run import Run
from semanir_arch.training.checkpointing import Saver, restore
from semanir_arch.training.loaders import build_training_set, build_validation_loaders, open_batches
from semanir_arch.training.loop import Loop
from semanir_arch.training.observer import Observer, TrainingFacts
from semanir_arch.training.resuming import StateChoice, choose_state, point_to_state
from semanir_arch.training.states import Manifest
from semanir_arch.training.tensorboard import open_tensorboard
from semanir_arch.utils import processes
from semanir_arch.utils.atomic import write_text
from semanir_arch.utils.checkpoint import load_state
from semanir_arch.utils.errors import OutOfMemoryError, UserError
from semanir_arch.utils.folder_lock import FolderLock
from semanir_arch.utils.memory import is_out_of_memory
from semanir_arch.utils.options import to_yaml
from semanir_arch.utils.signals import catch_signals

__all__ = ["Training"]

_LOGGER = logging.getLogger("basicsr")


class Training:
    """One training.

    Args:
        run: Run that the command line asks for.
        observers: Objects that are told what happens.

    Attributes:
        model: Model that `train` built; None before.
    """

    def __init__(self, run: Run, observers: Sequence[Observer] = ()) -> None:
        self.run = run
        self.observers = observers
        self.model: Any = None

    def train(self) -> Signals | None:
        """Train to the end, or until a signal.

        Returns:
            The signal that stopped the training, or None.

        Raises:
            ValueError: Something that the options name cannot be used.
            FileNotFoundError: A file is missing.
            SaveError: A state cannot be written.
        """
        with self.run.opened(is_train=True) as options, self._prepared(options) as found:
            manifest, arithmetic = found
            torch.backends.cudnn.benchmark = True
            total = int(options["train"]["total_iter"])
            if manifest and manifest.iteration >= total and manifest.is_settled:
                _LOGGER.info("All %s iterations are done; there is nothing to do.", f"{total:,d}")
                return None
            return self._train(options, manifest, arithmetic)

    @contextmanager
    def _prepared(
        self, options: dict[str, Any]
    ) -> Generator[tuple[Manifest | None, Arithmetic], None, None]:
        """Choose the state to continue from, make folders, open the log, agree on what is open."""
        experiment = Path(options["path"]["experiments_root"])
        choice = StateChoice(experiment)
        with ExitStack() as stack:
            if options["rank"] == 0:
                lock = FolderLock(experiment)
                stack.callback(lock.release)
                choice = choose_state(options)
                if choice.manifest is None and not processes.restarts(os.environ):
                    lock.start_afresh()
                self._make_folders(options)
            choice = processes.broadcast(choice)
            _open_log(options)
            _LOGGER.info("%s\nOptions: %s", host.describe_versions(), experiment / self.run.file)
            for problem in choice.problems:
                _LOGGER.warning("%s. Trying an earlier state.", problem)
            recorded = None
            if choice.manifest is not None:
                if choice.manifest.note:
                    _LOGGER.warning("%s.", choice.manifest.note)
                point_to_state(options, choice.experiment, choice.manifest.iteration)
                recorded = choice.manifest.arithmetic
            arithmetic = agree(options, recorded)
            arithmetic.write_to(_LOGGER)
            stack.callback(choose_freely)
            if self.run.options.get("manual_seed") is None:
                _agree_on_seed(options, choice.manifest)
            yield choice.manifest, arithmetic

    def _make_folders(self, options: dict[str, Any]) -> None:
        """Folders of the experiment, and the complete options in it, under BasicSR's heading."""
        for folder in ("models", "training_states", "visualization", "log"):
            Path(options["path"][folder]).mkdir(parents=True, exist_ok=True)
        heading = f"# GENERATE TIME: {time.asctime()}\n# CMD:\n# {' '.join(sys.argv)}\n\n"
        copy = Path(options["path"]["experiments_root"]) / self.run.file
        write_text(copy, heading + to_yaml(self.run.options, complete=self.run.inherits))

    def _train(
        self, options: dict[str, Any], manifest: Manifest | None, arithmetic: Arithmetic
    ) -> Signals | None:
        done = manifest.iteration if manifest else 0
        with ExitStack() as stack:
            tb_logger = open_tensorboard(options, done)
            if tb_logger is not None:
                stack.callback(tb_logger.close)
            dataset, schedule = build_training_set(options)
            validation = build_validation_loaders(options, _LOGGER)
            schedule = _continue_data(schedule, manifest)
            _log_statistics(schedule, options)
            self.model = build_model(options)
            sets = {loader.dataset.opt["name"]: loader.dataset for loader in validation}  # type: ignore[attr-defined]
            check_item_names(sets, options, self.model)
            epoch = schedule.epoch(done + 1)
            if manifest:
                restore(self.model, load_state(options["path"]["resume_state"]), manifest.best)
                _LOGGER.info("Resuming training from epoch: %d, iter: %d.", epoch, done)
            _LOGGER.info("Start training from epoch: %d, iter: %d", epoch, done)
            loop = Loop(
                facts=TrainingFacts(options, schedule, done, self.model, tb_logger),
                batches=stack.enter_context(open_batches(dataset, schedule, options, done)),
                validation=validation,
                saver=Saver(self.model, options, schedule, manifest, arithmetic.to_plain()),
                stop=stack.enter_context(catch_signals()),
                observers=self.observers,
                is_settled=manifest is None or manifest.is_settled,
            )
            with _told_of_memory():
                return loop.run()


@contextmanager
def _told_of_memory() -> Generator[None, None, None]:
    """Say what needs less where torch or Python cannot get memory.

    Raises:
        OutOfMemoryError: There is too little memory for a step, a validation or the data.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, UserError) or not is_out_of_memory(error):
            raise
        reason = str(error).partition("\n")[0]
        raise OutOfMemoryError(
            f"not enough memory for this training ({reason}); a smaller batch_size_per_gpu or "
            "patch, train:accumulate, train:checkpointing, precision bf16, or val:tile needs less"
        ) from error


def _open_log(options: dict[str, Any]) -> None:
    name = f"train_{options['name']}_{time.strftime('%Y%m%d_%H%M%S')}.log"
    file = str(Path(options["path"]["log"]) / name)
    host.load("basicsr.utils").get_root_logger("basicsr", logging.INFO, file)


def _agree_on_seed(options: dict[str, Any], manifest: Manifest | None) -> None:
    """One seed for all processes and all parts of a training whose options name none.

    BasicSR draws another one in every process and after every resume.
    """
    seed = options["manual_seed"]
    if manifest is not None and manifest.seed is not None:
        seed = manifest.seed
    options["manual_seed"] = processes.broadcast(seed)
    host.load("basicsr.utils").set_random_seed(options["manual_seed"] + options["rank"])


def _continue_data(schedule: BatchSchedule, manifest: Manifest | None) -> BatchSchedule:
    """Let the data continue where a state left it, also if its batches were of another size."""
    if manifest is None or manifest.samples is None:
        return schedule
    offset = manifest.samples - schedule.consumed(manifest.iteration)
    if offset:
        _LOGGER.info(
            "The state was saved with %d samples per step. This run takes %d; the data continues "
            "with sample %s, and the number of steps stays as it is.",
            *(
                manifest.batch,
                schedule.stage(manifest.iteration + 1).batch,
                f"{manifest.samples:,d}",
            ),
        )
    return replace(schedule, offset=offset)


def _log_statistics(schedule: BatchSchedule, options: dict[str, Any]) -> None:
    """Log what BasicSR logs, with passes counted right, and the stages."""
    block = options["datasets"]["train"]
    lines = [
        "Training statistics:",
        f"Number of train images: {schedule.images:,d}",
        f"Dataset enlarge ratio: {schedule.repetitions}",
        f"Batch size per gpu: {block['batch_size_per_gpu']}",
        f"World size (gpu number): {options['world_size']}",
        f"Batch per step: {schedule.stage(1).batch}",
        f"Total epochs: {schedule.passes():.2f}; iters: {schedule.total_iter:,d}.",
    ]
    if len(schedule.stages) > 1:
        lines += [
            f"Stage of {stage.iters:,d} iterations: {stage.batch} patches of {stage.patch_size} "
            "pixels per step"
            for stage in schedule.stages
        ]
    _LOGGER.info("\n\t".join(lines))
