"""Scores of the page's pictures: columns of the list, and the distribution of the gain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from semanir_arch.report.page_charts import Chart, draw_histogram
from semanir_arch.report.page_pictures import PagePicture
from semanir_arch.report.table import format_score

__all__ = [
    "Cell",
    "column_label",
    "describe_scores",
    "gain_histograms",
    "score_cells",
    "score_columns",
]

_HIGHER_IS_BETTER = ("psnr", "ssim")


@dataclass(frozen=True)
class Cell:
    """A number of the list.

    Attributes:
        text: Text of the cell; empty without a value.
        key: Sort key, as JavaScript reads numbers; empty for no value.
    """

    text: str
    key: str


def score_columns(pictures: Sequence[PagePicture]) -> list[tuple[str, str]]:
    """Columns that at least one picture fills: (metric, `in`, `out` or `gain`)."""
    metrics = dict.fromkeys(name for picture in pictures for name in picture.scores_out)
    metrics |= dict.fromkeys(name for picture in pictures for name in picture.scores_in)
    return [
        (metric, kind)
        for metric in metrics
        for kind in ("in", "out", "gain")
        if any(_score(picture, metric, kind) is not None for picture in pictures)
    ]


def column_label(metric: str, kind: str) -> str:
    """Heading of a column, such as `PSNR gain`; `change` where lower values are better."""
    if kind == "gain" and not metric.startswith(_HIGHER_IS_BETTER):
        kind = "change"
    return f"{metric.upper()} {kind}"


def score_cells(picture: PagePicture, columns: Sequence[tuple[str, str]]) -> list[Cell]:
    """The numbers of one picture, a cell for each column."""
    return [_cell(metric, kind, _score(picture, metric, kind)) for metric, kind in columns]


def describe_scores(picture: PagePicture) -> str:
    """All scores in a line, such as `PSNR 20.17 to 30.35 (+10.18)`."""
    parts = []
    for metric in dict.fromkeys([*picture.scores_out, *picture.scores_in]):
        before, after, gain = (
            _cell(metric, kind, _score(picture, metric, kind)).text
            for kind in ("in", "out", "gain")
        )
        change = f"{before} to {after} ({gain})" if before and after else before or after
        parts.append(f"{metric.upper()} {change}")
    return " \N{MIDDLE DOT} ".join(parts)


def gain_histograms(pictures: Sequence[PagePicture]) -> list[Chart]:
    """Per data set, how the gain in the first metric is distributed over its images.

    Where the input has no scores, because it has another size than the output, the distribution of
    the output's score.
    """
    charts = []
    for dataset in dict.fromkeys(picture.dataset for picture in pictures):
        members = [picture for picture in pictures if picture.dataset == dataset]
        columns = score_columns(members)
        if not columns:
            continue
        metric = columns[0][0]
        kind = "gain" if (metric, "gain") in columns else columns[0][1]
        values = [_score(picture, metric, kind) for picture in members]
        label = column_label(metric, kind)
        unit = " [dB]" if metric.startswith("psnr") else ""
        title = f"{label}, {dataset}" if dataset else label
        known = [value for value in values if value is not None]
        chart = draw_histogram(title, label + unit, known)
        if chart is not None:
            charts.append(chart)
    return charts


def _score(picture: PagePicture, metric: str, kind: str) -> float | None:
    before, after = picture.scores_in.get(metric), picture.scores_out.get(metric)
    if kind == "gain":
        return None if before is None or after is None else after - before
    return before if kind == "in" else after


def _cell(metric: str, kind: str, value: float | None) -> Cell:
    if value is None:
        return Cell("", "")
    if math.isnan(value):
        # infinite before and after, or an image smaller than the metric's window
        return Cell("\N{EN DASH}", "")
    if math.isinf(value):
        return Cell("\N{INFINITY}" if value > 0 else "\N{MINUS SIGN}\N{INFINITY}", f"{value}")
    sign = "+" if kind == "gain" and value >= 0 else ""
    text = sign + format_score(metric, value).replace("-", "\N{MINUS SIGN}")
    return Cell(text, repr(float(value)))
