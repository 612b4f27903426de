"""Scores of the shipped weights on the test sets, as test.py measures them."""

from __future__ import annotations

import datetime
import inspect
import json
import math
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Any

from semanir_arch.archs import NETWORKS
from semanir_arch.report.measurement import Measurement
from semanir_arch.report.provenance import find_commit
from semanir_arch.runs.arguments import parse_arguments
from semanir_arch.runs.sweep import prepare_sweep
from semanir_arch.runs.test_run import Testing
from semanir_arch.shipping.publishing import write_record
from semanir_arch.shipping.training import option_file
from semanir_arch.tasks import Task
from semanir_arch.utils.options import resolve
from semanir_arch.weights.catalogue import FOLDER, Score, ShippedWeights, find

__all__ = ["score"]


def score(task: Task, folder: Path = FOLDER) -> list[Score]:
    """Test the shipped weights of a task, and keep the scores in their record.

    Args:
        task: Task with shipped weights.
        folder: Folder of the shipped weights.

    Returns:
        A score for each data set and strength.

    Raises:
        FileNotFoundError: There are no weights, or no test images.
        ValueError: Something cannot be used.
    """
    shipped = find(task.name, folder)
    leaf = option_file(task)
    argv = ["-opt", str(leaf), "--weights", str(shipped.path), "--skip_missing"]
    argv += ["--force_yml", "val:save_img=false", *_network_changes(leaf, shipped)]
    if task.sweep:
        argv += ["--sweep", task.sweep]
    sweep = prepare_sweep(parse_arguments(argv, "", is_train=False))
    scores = [_summarize(measurement) for measurement in Testing(sweep, Path.cwd()).test()]
    record: dict[str, Any] = {key: shipped.record[key] for key in shipped.record if key != "task"}
    record["scores"] = [asdict(entry) for entry in scores]
    record["scored"] = {
        "command": shlex.join(["python", "test.py", *_shown(argv, shipped.path)]),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": find_commit(),
    }
    write_record(folder, task, record)
    return scores


def _network_changes(leaf: Path, shipped: ShippedWeights) -> list[str]:
    """Overrides where the shipped network is not the one of the option file."""
    own = resolve(leaf, role="test").options["network_g"]
    network = dict(shipped.record["network"])
    parameters = inspect.signature(NETWORKS[network["type"]]).parameters
    # what the file sets and the record does not had its default
    defaults = {key: parameters[key].default for key in own if key in parameters}
    return [
        f"network_g:{key}={json.dumps(value)}"
        for key, value in (defaults | network).items()
        if own.get(key) != value
    ]


def _summarize(measurement: Measurement) -> Score:
    evaluation = measurement.evaluation
    means = evaluation.means()
    inputs = [row.input["psnr"] for row in evaluation.rows if "psnr" in row.input]
    # pictures that are clean already have no finite one
    is_known = bool(inputs) and all(map(math.isfinite, inputs))
    return Score(
        dataset=evaluation.dataset,
        level=" ".join(f"{name} {value}" for name, value in measurement.setting.items()),
        protocol=str(evaluation.protocol),
        psnr=round(means["psnr"], 4),
        ssim=round(means["ssim"], 5),
        psnr_input=round(sum(inputs) / len(inputs), 4) if is_known else None,
    )


def _shown(argv: list[str], weights: Path) -> list[str]:
    """The flags, with the weights as they are called in a checkout."""
    return [
        f"semanir_arch/weights/{weights.name}" if text == str(weights) else text for text in argv
    ]
