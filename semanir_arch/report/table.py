"""Tables of scores: one row per image and the mean, with the protocol that gave the numbers."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

from semanir_arch.metrics.scores import Evaluation, mean

__all__ = ["Table", "format_score", "score_columns", "tabulate", "to_markdown", "to_text"]


@dataclass(frozen=True)
class Table:
    """A table ready to be laid out.

    Args:
        title: Dataset and protocol.
        header: Names of the columns.
        rows: Cells, one row per image.
        mean: Cells of the last row; empty for a table without one.
        notes: Remarks about the numbers for the reader.
    """

    title: str
    header: list[str]
    rows: list[list[str]]
    mean: list[str]
    notes: list[str]


def tabulate(evaluation: Evaluation) -> list[Table]:
    """Lay out an evaluation; scores of the input appear where all images have them.

    Returns:
        The protocol's scores under its name, and all others in a table of their own.
    """
    extras = [name for name in evaluation.names if name in evaluation.extras]
    own = [name for name in evaluation.names if name not in evaluation.extras]
    # without a protocol there is no heading that a score could stand under by mistake
    if evaluation.protocol is None:
        own, extras = own + extras, []
    tables = []
    if own or not extras:
        title = f"{evaluation.dataset} (protocol: {evaluation.protocol or 'none'})"
        tables.append(_lay_out(evaluation, title, own))
    if extras:
        title = f"{evaluation.dataset} ({evaluation.source}, not of the protocol)"
        tables.append(_lay_out(evaluation, title, extras))
    return tables


def _lay_out(evaluation: Evaluation, title: str, names: Collection[str]) -> Table:
    columns = score_columns(evaluation, names)
    means, notes = ["mean"], []
    for label, values in columns.items():
        average, left_out = mean(values)
        means.append(format_score(label, average))
        if left_out:
            images = "1 image is" if left_out == 1 else f"{left_out} images are"
            notes.append(f"{label}: {images} not finite and left out of the mean.")
    notes += [
        f"{name.upper()}: {evaluation.extras[name].description}."
        for name in names
        if name in evaluation.extras
    ]
    first = [row.image for row in evaluation.rows]
    cells = [[format_score(label, value) for value in values] for label, values in columns.items()]
    return Table(
        title=title,
        header=["image", *columns],
        rows=[list(row) for row in zip(first, *cells, strict=True)],
        mean=means,
        notes=notes,
    )


def score_columns(
    evaluation: Evaluation, names: Collection[str] | None = None
) -> dict[str, list[float]]:
    """Scores by column: `PSNR in`, `PSNR out`, ... each with one value per image.

    Args:
        evaluation: The scores; an image without one has `nan`.
        names: Names of the scores; None for all.
    """
    columns: dict[str, list[float]] = {}
    rows = evaluation.rows
    for name in evaluation.names if names is None else names:
        if all(name in row.input for row in rows):
            columns[f"{name.upper()} in"] = [row.input[name] for row in rows]
        columns[f"{name.upper()} out"] = [row.output.get(name, math.nan) for row in rows]
    return columns


def to_text(table: Table) -> str:
    """The table for a terminal, with aligned columns."""
    lines = [table.header, *table.rows, *([table.mean] if table.mean else [])]
    widths = [max(len(line[i]) for line in lines) for i in range(len(table.header))]
    laid_out = [
        "  ".join(
            [
                line[0].ljust(widths[0]),
                *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True)),
            ]
        )
        for line in lines
    ]
    rule = "-" * len(laid_out[0])
    body = laid_out[1:]
    if table.mean and table.rows:
        body.insert(len(table.rows), rule)
    return "\n".join([table.title, laid_out[0], rule, *body, *table.notes])


def to_markdown(table: Table) -> str:
    """The table as Markdown, below a heading."""
    align = [":--", *["--:"] * (len(table.header) - 1)]
    mean_row = [[f"**{cell}**" for cell in table.mean]] if table.mean else []
    lines = [f"| {' | '.join(line)} |" for line in (table.header, align, *table.rows, *mean_row)]
    return "\n".join([f"## {table.title}", "", *lines, *(f"\n{note}" for note in table.notes), ""])


def format_score(name: str, value: float) -> str:
    """A score as papers print it: two decimals of a decibel, four of everything else.

    Args:
        name: Name of the score, in any case, such as `psnr` or `SSIM out`.
        value: Decibel, or a number about 1.
    """
    return f"{value:.2f}" if name.lower().startswith("psnr") else f"{value:.4f}"
