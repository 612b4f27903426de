"""Files with results: report.md and .html to read, .csv to compute, .json with everything."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from semanir_arch.metrics.scores import mean
from semanir_arch.report.comparison import compare
from semanir_arch.report.k_curve import draw_k_curves, tabulate_k_curve
from semanir_arch.report.measurement import Measurement
from semanir_arch.report.summary import Report
from semanir_arch.report.table import Table, score_columns, tabulate, to_markdown
from semanir_arch.utils.atomic import write_text

__all__ = ["image_tables", "result_tables", "write_report"]

_MOST_ROWS = 40
"""Larger sets are not listed image by image in what is made for reading."""


def result_tables(report: Report) -> list[Table]:
    """Means beside the figures of papers, and scores over k."""
    curves = [tabulate_k_curve(curve) for curve in draw_k_curves(report.measurements)]
    return [*compare(report.measurements), *curves]


def image_tables(report: Report) -> list[Table]:
    """Scores of each image and their means, by set; none where options were swept."""
    if any(one.setting for one in report.measurements):
        return []
    return [_shorten(table) for one in report.measurements for table in tabulate(one.evaluation)]


def write_report(folder: Path, report: Report) -> None:
    """Write the files, each complete or not at all.

    Args:
        folder: Existing folder.
        report: Report to write.
    """
    write_text(folder / "report.md", _markdown(report))
    write_text(folder / "report.csv", _csv(report))
    write_text(folder / "report.json", _json(report))


def _shorten(table: Table) -> Table:
    """Leave out the images of a large set."""
    if len(table.rows) <= _MOST_ROWS:
        return table
    note = f"{len(table.rows)} images; each is in report.csv."
    return replace(table, rows=[], notes=[*table.notes, note])


def _markdown(report: Report) -> str:
    facts = [f"- {name}: {value}" for name, value in report.summary().items()]
    notes = [f"**{note}**\n" for note in report.all_notes()]
    tables = [to_markdown(table) for table in [*result_tables(report), *image_tables(report)]]
    return "\n".join([f"# {report.name}", "", *facts, "", *notes, *tables])


def _csv(report: Report) -> str:
    """Full precision, one line per image; columns of all sets side by side."""
    scored = [(one, score_columns(one.evaluation)) for one in report.measurements]
    settings = list(dict.fromkeys(name for one in report.measurements for name in one.setting))
    scores = list(dict.fromkeys(label for _, columns in scored for label in columns))
    header = ["dataset", "protocol", *settings, "image", *scores, "seconds"]
    text = io.StringIO()
    writer = csv.DictWriter(text, header, lineterminator="\n")
    writer.writeheader()
    for one, columns in scored:
        evaluation = one.evaluation
        common = {"dataset": evaluation.dataset, "protocol": evaluation.protocol, **one.setting}
        for index, row in enumerate(evaluation.rows):
            values = {label: column[index] for label, column in columns.items()}
            writer.writerow({**common, "image": row.image, **values, "seconds": row.seconds})
    return text.getvalue()


def _json(report: Report) -> str:
    subjects = [one.subject for one in report.measurements]
    content = {
        "name": report.name,
        "command": report.command,
        "checkpoint": subjects[0].weights if subjects else None,
        "date": report.date,
        "commit": report.commit,
        "versions": dict(report.versions),
        **report.computer,
        "memory": report.memory,
        "seconds": report.seconds,
        "missing": [vars(missing) for missing in report.missing],
        "notes": list(report.notes),
        "datasets": [_dataset(one) for one in report.measurements],
        "tables": [
            {"title": t.title, "header": t.header, "rows": t.rows, "notes": t.notes}
            for t in result_tables(report)
        ],
        "k_curves": [
            {"quantity": curve.quantity, "series": curve.series}
            for curve in draw_k_curves(report.measurements)
        ],
        "options": report.options,
    }
    return json.dumps(content, indent=2) + "\n"


def _dataset(one: Measurement) -> dict[str, Any]:
    evaluation = one.evaluation
    times = [row.seconds for row in evaluation.rows if row.seconds is not None]
    return {
        "name": evaluation.dataset,
        "protocol": evaluation.protocol,
        "task": one.task,
        "level": one.level,
        "setting": dict(one.setting),
        **vars(one.subject),
        "mean": {
            label: _number(mean(values)[0]) for label, values in score_columns(evaluation).items()
        },
        "metrics": {
            extra.label: {"name": extra.name, **extra.block} for extra in evaluation.extras.values()
        },
        "notes": [note for table in tabulate(evaluation) for note in table.notes],
        "seconds": sum(times),
        "seconds_per_image": sum(times) / len(times) if times else None,
        "reused": one.reused,
        "images": [
            {
                "image": row.image,
                "input": _numbers(row.input),
                "output": _numbers(row.output),
                "seconds": row.seconds,
                "tile": row.tile,
            }
            for row in evaluation.rows
        ],
    }


def _numbers(scores: Mapping[str, float]) -> dict[str, float | str]:
    return {name: _number(value) for name, value in scores.items()}


def _number(value: float) -> float | str:
    # JSON has no infinity.
    return value if math.isfinite(value) else str(value)
