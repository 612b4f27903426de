"""One HTML file that shows a run: summary, tables, pictures to compare, charts.

The file holds everything it needs, so that it works from a folder, without a network, for years:
styles and scripts of `page_files/` and the pictures themselves. A content security policy forbids
the browser to load anything else, and to run any script but ours. Equal input gives an equal file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from markupsafe import Markup

from semanir_arch.report import page_charts
from semanir_arch.report.html import content_policy, load_template, read_page_file
from semanir_arch.report.page_charts import Curve, draw_curve
from semanir_arch.report.page_pictures import Embedded, Fidelity, PagePicture, embed
from semanir_arch.report.page_scores import (
    column_label,
    describe_scores,
    gain_histograms,
    score_cells,
    score_columns,
)
from semanir_arch.report.table import Table
from semanir_arch.utils.atomic import replacing

__all__ = ["BUDGET", "Curve", "Page", "PagePicture", "write_page"]

BUDGET = 64 * 2**20
"""Bytes that the pictures of a page may take."""

_STYLES = ("shared.css", "page.css", "viewer.css")
_SCRIPTS = ("pixels.js", "viewer.js", "gestures.js", "list.js", "main.js")


@dataclass(frozen=True)
class Page:
    """Contents of a page; all texts may hold any characters.

    Args:
        title: Name of the run.
        facts: Summary, label -> value: command, commit, versions, protocol, weights' hash, time,
            memory.
        tables: Laid out tables, such as ours, paper, difference; an empty `mean` is no row.
        pictures: The list of images, in its first order.
        curves: Charts, such as PSNR over k.
        notes: Sentences below the summary.
        machine: Facts on the computer, folded away.
        details: Long texts by title, folded away: the complete options, for example.
    """

    title: str
    facts: Mapping[str, str] = field(default_factory=dict)
    tables: Sequence[Table] = ()
    pictures: Sequence[PagePicture] = ()
    curves: Sequence[Curve] = ()
    notes: Sequence[str] = ()
    details: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, str] = field(default_factory=dict)


def write_page(path: Path, page: Page, budget: int = BUDGET) -> None:
    """Write the page, complete or not at all.

    Images are read and encoded one picture after another, so memory holds the page, not the images.

    Args:
        path: The HTML file; its folder exists.
        page: Page to write.
        budget: Bytes for the embedded pictures. Where it is short, images are compressed, reduced
            or left out, and the page says so.

    Raises:
        FileNotFoundError: An image file does not exist.
        ValueError: An image cannot be read or shown, or the points of a curve cannot be drawn.
        TypeError: An image is an array of another type.
    """
    embedded, images = embed(page.pictures, budget)
    columns = score_columns(page.pictures)
    styles, scripts = _join(_STYLES), _join(_SCRIPTS)
    curves = [chart for chart in map(draw_curve, page.curves) if chart]
    stream = load_template(__package__, "page.html").stream(
        title=page.title,
        page=page,
        columns=[column_label(metric, kind) for metric, kind in columns],
        rows=[score_cells(picture, columns) for picture in page.pictures],
        lines=[describe_scores(picture) for picture in page.pictures],
        datasets=list(dict.fromkeys(picture.dataset for picture in page.pictures)),
        embedded=embedded,
        images=images,
        fidelity=_count_fidelity(embedded, budget),
        charts=[*curves, *gain_histograms(page.pictures)],
        area=page_charts,
        styles=Markup(styles),
        scripts=Markup(scripts),
        policy=content_policy(styles, scripts),
    )
    with replacing(path) as file:
        # names of files may hold bytes that are no text
        stream.dump(file, encoding="utf-8", errors="replace")


def _join(names: Sequence[str]) -> str:
    return "\n".join(read_page_file(__package__, name) for name in names)


def _count_fidelity(embedded: Sequence[Embedded], budget: int) -> str:
    """A sentence on what the budget cost; empty where it was enough."""
    counts = Counter(picture.fidelity for picture in embedded)
    kinds: tuple[Fidelity, ...] = ("compressed", "reduced", "left out")
    costs = [f"{counts[kind]} {kind}" for kind in kinds if counts[kind]]
    if not costs:
        return ""
    megabytes = f"{budget / 2**20:.3g}"
    return (
        f"To keep the pictures of this page within {megabytes} MiB: {', '.join(costs)}, "
        f"of {len(embedded)}. Crops and error maps of compressed and reduced ones are approximate."
    )
