"""The HTML page of a test: its tables, its images, its curves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from pathlib import Path

from semanir_arch.report.comparison import compare
from semanir_arch.report.k_curve import SECONDS, KCurve, draw_k_curves
from semanir_arch.report.measurement import Measurement
from semanir_arch.report.page import Curve, Page, PagePicture, write_page
from semanir_arch.report.page_scores import column_label
from semanir_arch.report.summary import Report
from semanir_arch.report.table import Table
from semanir_arch.report.writing import image_tables

__all__ = ["with_gains", "write_run_page"]

_MACHINE = ("peak memory", "commit", "versions")


def write_run_page(path: Path, report: Report) -> None:
    """Write the page, complete or not at all.

    Args:
        path: The HTML file; its folder exists.
        report: Report to show.
    """
    facts = report.summary()
    machine = {name: facts.pop(name) for name in (*report.computer, *_MACHINE) if name in facts}
    page = Page(
        title=report.name,
        facts=facts,
        machine=machine,
        # scores over k stand below their charts, and images in a list of their own
        tables=[
            *compare(report.measurements),
            *(with_gains(replace(table, rows=[])) for table in image_tables(report)),
        ],
        pictures=[picture for one in report.measurements for picture in _pictures(one)],
        curves=[_curve(curve) for curve in draw_k_curves(report.measurements)],
        notes=report.all_notes(),
        details={"Options": json.dumps(report.options, indent=2)},
    )
    write_page(path, page)


def with_gains(table: Table) -> Table:
    """A table of means with a column `PSNR gain` after each pair `PSNR in`, `PSNR out`.

    It is the difference of the two means as they are shown; `change` where lower is better.
    """
    header, cells = table.header[:1], table.mean[:1]
    for place in range(1, len(table.header)):
        label = table.header[place]
        header.append(label)
        cells.append(table.mean[place])
        name = label.removesuffix(" out")
        if name == label or table.header[place - 1] != f"{name} in":
            continue
        try:
            gain = Decimal(table.mean[place]) - Decimal(table.mean[place - 1])
        except InvalidOperation:
            gain = Decimal("nan")
        header.append(column_label(name.lower(), "gain"))
        text = f"{gain:+}".replace("-", "\N{MINUS SIGN}")
        cells.append(text if gain.is_finite() else "\N{EN DASH}")
    return replace(table, header=header, mean=cells)


def _pictures(one: Measurement) -> Iterator[PagePicture]:
    for index, row in enumerate(one.evaluation.rows):
        files = one.examples.get(index, {})
        yield PagePicture(
            name=row.image,
            dataset=one.title,
            before=files.get("input"),
            after=files.get("output"),
            target=files.get("target"),
            scores_in=row.input,
            scores_out=row.output,
        )


def _curve(curve: KCurve) -> Curve:
    name = curve.quantity if curve.quantity == SECONDS else curve.quantity.upper()
    return Curve(
        title=f"{name} over keys per token",
        x_label="keys per token, k",
        y_label=f"{name} [dB]" if name.startswith("PSNR") else name,
        series=curve.series,
        # k is usually doubled from point to point
        log_x=True,
    )
