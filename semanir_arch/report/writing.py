"""Files with results: report.md to read, report.csv to compute, report.json with everything."""

from __future__ import annotations

import csv
import datetime
import io
import json
import math
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from semanir_arch import __version__
from semanir_arch.models.evaluation import Evaluation, mean
from semanir_arch.report.table import score_columns, tabulate, to_markdown
from semanir_arch.utils.atomic import write_text

__all__ = ["describe_run", "write_report"]


def describe_run(options: dict[str, Any]) -> dict[str, Any]:
    """What someone needs to judge and repeat the numbers: checkpoint, date, versions, options.

    Args:
        options: Complete options of the test.
    """
    return {
        "name": options["name"],
        "checkpoint": (options.get("path") or {}).get("pretrain_network_g"),
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "versions": {
            "semanir_arch": __version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "options": options,
    }


def write_report(folder: Path, evaluations: Sequence[Evaluation], facts: dict[str, Any]) -> None:
    """Write the three files, each complete or not at all.

    Args:
        folder: Exists.
        evaluations: One per dataset.
        facts: From `describe_run`.
    """
    write_text(folder / "report.md", _markdown(evaluations, facts))
    write_text(folder / "report.csv", _csv(evaluations))
    write_text(folder / "report.json", _json(evaluations, facts))


def _markdown(evaluations: Sequence[Evaluation], facts: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    head = [
        f"# {facts['name']}",
        "",
        f"Checkpoint: {facts['checkpoint']}",
        f"Date: {facts['date']}",
        versions,
        "",
    ]
    return "\n".join([*head, *(to_markdown(tabulate(evaluation)) for evaluation in evaluations)])


def _csv(evaluations: Sequence[Evaluation]) -> str:
    """Full precision, one line per image; columns of all datasets side by side."""
    tables = [(evaluation, score_columns(evaluation)) for evaluation in evaluations]
    header = list(dict.fromkeys(label for _, columns in tables for label in columns))
    text = io.StringIO()
    writer = csv.DictWriter(text, ["dataset", "protocol", "image", *header], lineterminator="\n")
    writer.writeheader()
    for evaluation, columns in tables:
        common = {"dataset": evaluation.dataset, "protocol": evaluation.protocol}
        for index, row in enumerate(evaluation.rows):
            scores = {label: values[index] for label, values in columns.items()}
            writer.writerow({**common, "image": row.image, **scores})
    return text.getvalue()


def _json(evaluations: Sequence[Evaluation], facts: dict[str, Any]) -> str:
    datasets = [
        {
            "name": evaluation.dataset,
            "protocol": evaluation.protocol,
            "mean": {
                label: _number(mean(values)[0])
                for label, values in score_columns(evaluation).items()
            },
            "notes": tabulate(evaluation).notes,
            "images": [
                {"image": row.image, "input": _numbers(row.input), "output": _numbers(row.output)}
                for row in evaluation.rows
            ],
        }
        for evaluation in evaluations
    ]
    return json.dumps({**facts, "datasets": datasets}, indent=2) + "\n"


def _numbers(scores: dict[str, float]) -> dict[str, float | str]:
    return {name: _number(value) for name, value in scores.items()}


def _number(value: float) -> float | str:
    # JSON has no infinity.
    return value if math.isfinite(value) else str(value)
