"""Train the network of a task for some minutes, through the training loop and its option file."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from signal import Signals

from semanir_arch.runs.arguments import parse_arguments
from semanir_arch.runs.prepare import prepare_run
from semanir_arch.shipping.pacing import Clock, run_paced
from semanir_arch.shipping.warm_start import prepare_start
from semanir_arch.tasks import Task
from semanir_arch.training.progress_line import ProgressLine
from semanir_arch.training.trainer import Training
from semanir_arch.utils import devices
from semanir_arch.utils.atomic import write_text
from semanir_arch.utils.errors import InputError
from semanir_arch.utils.options import resolve
from semanir_arch.weights.catalogue import FOLDER

__all__ = ["Attempt", "find_experiment", "option_file", "read_attempt", "train"]

ON_GPU = {
    "precision": "bf16",
    "datasets:train:batch_size_per_gpu": "32",
    "datasets:train:patch_size": "128",
    "datasets:train:num_worker_per_gpu": "12",
}
"""Changes of the option files for a GPU, which are made for one core of a CPU."""

FINE_TUNING_RATES = {"train:optim_g:lr": "5e-3", "train:optim_g:adam_lr": "1e-3"}
"""First learning rates of a training that starts from trained weights: half of the usual."""

_NOTE = "attempt.json"


@dataclass(frozen=True)
class Attempt:
    """A training of this task, perhaps of several sittings; kept in the folder of the experiment.

    Args:
        option_file: Option file of the training.
        overrides: Options that differed from it, apart from the number of iterations.
        started_from: File that the first weights came from; None for random ones.
        seconds: Time that it has taken.
        iterations: Number of iterations that were run.
        is_finished: Whether the schedule has come to its end.
    """

    option_file: str
    overrides: Mapping[str, str]
    started_from: str | None
    seconds: float = 0.0
    iterations: int = 0
    is_finished: bool = False


def option_file(task: Task) -> Path:
    """The option file of a task, seen from the root of a checkout."""
    return Path("options", "shipped", f"{task.name}.yml")


def find_experiment(task: Task, overrides: Sequence[str] = ()) -> Path:
    """Folder in which a task is trained, whether or not it exists.

    Raises:
        OptionError: There is no option file for the task, or an override is wrong.
    """
    return Path("experiments", str(resolve(option_file(task), overrides).options["name"]))


def read_attempt(experiment: Path) -> Attempt | None:
    """Read the facts of the training in a folder; None if there is none."""
    file = experiment / _NOTE
    return Attempt(**json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else None


def train(
    task: Task,
    minutes: float,
    *,
    device: str = "auto",
    start: str | None = None,
    overrides: Sequence[str] = (),
    folder: Path = FOLDER,
) -> tuple[Path, Attempt]:
    """Train for some minutes, with a schedule that ends with them.

    An interrupted training of the task is continued. Otherwise a new one starts, from the shipped
    weights of the task, from those of a related task, or from random ones.

    Args:
        task: Task to train.
        minutes: Time to train.
        device: "auto", "cpu" or "cuda".
        start: Weights to start from, or "none" for random ones; None chooses as above.
        overrides: Further options, `KEY:KEY=VALUE`.
        folder: Folder of the shipped weights.

    Returns:
        Folder of the experiment, and facts about the training.

    Raises:
        ValueError: Something given cannot be used.
        FileNotFoundError: A file is missing.
    """
    leaf = option_file(task)
    experiment = find_experiment(task, overrides)
    earlier = read_attempt(experiment)
    if earlier is None or earlier.is_finished:
        changed = _device_options(device) | dict(text.split("=", 1) for text in overrides)
        source = prepare_start(task, resolve(leaf, overrides).options["network_g"], start, folder)
        if source is not None:
            changed = FINE_TUNING_RATES | changed
            changed["path:pretrain_network_g"] = str(source.file)
        attempt = Attempt(str(leaf), changed, source.origin if source else None)
        is_new = True
    else:
        attempt, is_new = earlier, False

    spent, began = attempt.seconds, time.monotonic()

    def segment(total: int, clock: Clock) -> Signals | None:
        nonlocal attempt, is_new
        options = dict(attempt.overrides)
        options |= {"train:total_iter": str(total), "train:scheduler:periods": f"[{total}]"}
        argv = ["-opt", str(leaf), "--force_yml", *(f"{k}={v}" for k, v in options.items())]
        run = prepare_run(
            parse_arguments([*argv, *([] if is_new else ["--auto_resume"])], ""), True
        )
        stopped = Training(run, [ProgressLine(), clock]).train()
        is_new = False
        attempt = replace(
            attempt,
            seconds=spent + time.monotonic() - began,
            iterations=clock.done,
            is_finished=stopped is None,
        )
        write_text(experiment / _NOTE, json.dumps(asdict(attempt), indent=1) + "\n")
        return stopped

    run_paced(segment, 60 * minutes)
    return experiment, attempt


def _device_options(device: str) -> dict[str, str]:
    if device not in ("auto", "cpu", "cuda"):
        raise InputError(f"device={device!r}; allowed: auto, cpu, cuda")
    if device == "cpu" or (device == "auto" and devices.accelerator() is None):
        return {"num_gpu": "0"}
    return {"num_gpu": "1", **ON_GPU}
