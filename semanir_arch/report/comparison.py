"""Our means beside the figures of papers: levels and sets in columns, networks in rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from semanir_arch.metrics.protocols import PROTOCOLS
from semanir_arch.metrics.scores import mean
from semanir_arch.report.measurement import Measurement
from semanir_arch.report.published import Figure, Published, load_published
from semanir_arch.report.table import Table, format_score
from semanir_arch.tasks import TASKS

__all__ = ["compare"]

_ABSENT = "-"


@dataclass
class _Grid:
    """Rows and columns of one table.

    Args:
        metric: Metric in the cells.
        columns: Measurements of one column by its title; several where only the setting differs.
        images: Number of images of whole sets.
        notes: Remarks for the reader, once each.
    """

    metric: str
    columns: dict[str, list[Measurement]]
    images: Mapping[str, int]
    notes: dict[str, None] = field(default_factory=dict)

    def note(self, text: str) -> None:
        self.notes[text] = None


def compare(measurements: Sequence[Measurement], published: Published | None = None) -> list[Table]:
    """Tables of means, one for each task and metric, with all published figures of its columns.

    A table that would hold nothing but one row of ours is left out.

    Args:
        measurements: Measurements of one run.
        published: Figures of papers; None for those that come with the package.
    """
    published = published or load_published()
    groups: dict[tuple[str | None, str | None], list[Measurement]] = {}
    for one in measurements:
        groups.setdefault((one.task, one.evaluation.protocol), []).append(one)
    tables = []
    for (task, protocol), group in groups.items():
        for metric in dict.fromkeys(metric for one in group for metric in one.evaluation.names):
            columns = _arrange(group)
            extra = group[0].evaluation.extras.get(metric)
            # papers know a score by its name and by how it is measured
            theirs = extra.published_as if extra else metric
            figures = [f for f in published.figures if f.task == task and f.metric == theirs]
            table = _lay_out(_Grid(metric, columns, published.images), figures, published)
            if table is None:
                continue
            way = f"protocol: {protocol or 'none'}"
            if extra and protocol:
                way = f"{group[0].evaluation.source}, not of the protocol: {extra.description}"
            title = f"{metric.upper()}: {TASKS[task].title if task else 'all sets'} ({way})"
            tables.append(Table(title, table.header, table.rows, [], table.notes))
    return tables


def _arrange(group: Sequence[Measurement]) -> dict[str, list[Measurement]]:
    """Measurements by column, the levels of one set side by side as in papers."""
    columns: dict[str, list[Measurement]] = {}
    for dataset in dict.fromkeys(one.evaluation.dataset for one in group):
        for one in group:
            if one.evaluation.dataset == dataset:
                columns.setdefault(one.column, []).append(one)
    return columns


def _lay_out(grid: _Grid, figures: Sequence[Figure], published: Published) -> Table | None:
    """The table without its title; None if there is nothing to compare."""
    theirs = [_write_row(row, grid) for row in _group(figures, grid)]
    if not theirs and not any(one.setting for group in grid.columns.values() for one in group):
        return None
    rows = [row for row in [_input_row(grid)] if row] + theirs
    ours = _our_rows(grid)
    for label, means in ours.items():
        cells = [_ABSENT if v is None else format_score(grid.metric, v) for v in means]
        rows.append([label, *cells])
    for label, means in ours.items():
        rows += _difference_rows(grid, label, means, figures, published)
    return Table("", ["network", *grid.columns], rows, [], list(grid.notes))


def _input_row(grid: _Grid) -> list[str] | None:
    """Means of the degraded images, where all have scores."""
    cells = []
    for measured in grid.columns.values():
        rows = measured[0].evaluation.rows
        known = bool(rows) and all(grid.metric in row.input for row in rows)
        value = mean(row.input[grid.metric] for row in rows)[0] if known else None
        cells.append(_ABSENT if value is None else format_score(grid.metric, value))
    return None if set(cells) <= {_ABSENT} else ["input, measured here", *cells]


def _group(figures: Sequence[Figure], grid: _Grid) -> list[_PublishedRow]:
    """One row per network; several where papers disagree about it."""
    rows: list[_PublishedRow] = []
    for label, paper in dict.fromkeys((f.label, f.paper) for f in figures):
        given = [f for f in figures if (f.label, f.paper) == (label, paper)]
        found = {
            place: figure
            for place, measured in enumerate(grid.columns.values())
            if (figure := _find(measured[0], given)) is not None
        }
        same = next((row for row in rows if row.agrees(label, found)), None)
        if same is not None:
            same.add(found)
        elif found:
            rows.append(_PublishedRow(label, found))
    return rows


@dataclass
class _PublishedRow:
    """Figures of one network, by the place of the column; papers quote one another."""

    label: str
    cells: dict[int, Figure]

    def agrees(self, label: str, others: dict[int, Figure]) -> bool:
        """Whether others are figures of the same network, and nowhere other ones."""
        shared = self.cells.keys() & others.keys()
        return label == self.label and all(
            self.cells[place].value == others[place].value for place in shared
        )

    def add(self, others: dict[int, Figure]) -> None:
        """Take over what is missing, what was read rather than remembered, and first-hand."""
        for place, figure in others.items():
            present = self.cells.get(place)
            if present is None or (figure.verified, figure.is_own) > (
                present.verified,
                present.is_own,
            ):
                self.cells[place] = figure


def _write_row(row: _PublishedRow, grid: _Grid) -> list[str]:
    cells = [_ABSENT] * len(grid.columns)
    for place, measured in enumerate(grid.columns.values()):
        figure = row.cells.get(place)
        if figure is None:
            continue
        comparable = _is_comparable(figure, measured[0], grid)
        cells[place] = _as_printed(figure) + "*" * (not comparable) + "?" * (not figure.verified)
        mark = figure.short_paper if figure.verified else "?"
        grid.note(f"{mark}: {figure.paper}; read from: {figure.source}.")
    return [_name(row.cells.values()), *cells]


def _name(figures: Collection[Figure]) -> str:
    """A network and, if it is not its own, the paper that shows its figures."""
    label = next(iter(figures)).label
    if any(figure.is_own for figure in figures):
        return label
    return f"{label}, from {', '.join(dict.fromkeys(f.short_paper for f in figures))}"


def _our_rows(grid: _Grid) -> dict[str, list[float | None]]:
    """Our means by what distinguishes the rows: k where it was swept, and the ensemble."""
    rows: dict[str, list[float | None]] = {}
    for place, measured in enumerate(grid.columns.values()):
        for one in measured:
            row = rows.setdefault(_our_label(one), [None] * len(grid.columns))
            values = [r.output[grid.metric] for r in one.evaluation.rows if grid.metric in r.output]
            row[place] = mean(values)[0] if values else None
    return rows


def _our_label(one: Measurement) -> str:
    # what the column does not say
    option = TASKS[one.task].strength if one.task else None
    words = [f"{name}={value}" for name, value in one.setting.items() if name != option]
    words += ["ensemble"] if one.subject.ensemble else []
    return ", ".join([f"ours ({one.subject.network})", *words])


def _difference_rows(
    grid: _Grid,
    label: str,
    means: Sequence[float | None],
    figures: Sequence[Figure],
    published: Published,
) -> list[list[str]]:
    """Our means minus the published ones of the same network."""
    subject = next(iter(grid.columns.values()))[0].subject
    names = published.name_of(subject.network, subject.parameters)
    own = [f for f in figures if f.network in names]
    blind = _is_blind(grid)
    rows = []
    if blind is not None and any(f.blind == blind for f in own):
        own = [f for f in own if f.blind == blind]
    for row in _group(own, grid):
        cells = [
            _difference(row.cells.get(place), measured[0], value, grid)
            for place, (measured, value) in enumerate(
                zip(grid.columns.values(), means, strict=True)
            )
        ]
        if any(cell != _ABSENT for cell in cells):
            rows.append([f"{label} - {_name(row.cells.values())}", *cells])
    if not own and _group(figures, grid):
        grid.note(
            f"There are no figures of this network ({subject.network}, "
            f"{subject.parameters / 1e6:.2f} million parameters)."
        )
    return rows


def _difference(figure: Figure | None, one: Measurement, value: float | None, grid: _Grid) -> str:
    if figure is None or value is None or not _is_comparable(figure, one, grid):
        return _ABSENT
    places = 2 if grid.metric.startswith("psnr") else 4
    return f"{value - figure.value:+.{places}f}"


def _is_blind(grid: _Grid) -> bool | None:
    """Whether one file serves several levels; None if there is only one level."""
    everything = [one for measured in grid.columns.values() for one in measured]
    levels = {one.level for one in everything}
    if len(levels) < 2:
        return None
    return len({one.subject.sha256 for one in everything}) == 1


def _find(one: Measurement, figures: Iterable[Figure]) -> Figure | None:
    return next(
        (f for f in figures if (f.dataset, f.level) == (one.evaluation.dataset, one.level)), None
    )


def _is_comparable(figure: Figure, one: Measurement, grid: _Grid) -> bool:
    """Whether both are measured in one way, on the same images; notes why not."""
    expected = grid.images.get(figure.dataset)
    count = sum(grid.metric in row.output for row in one.evaluation.rows)
    if expected is not None and count != expected:
        grid.note(f"*: {count} of the {expected} images of {figure.dataset}; not comparable.")
        return False
    ours, theirs = PROTOCOLS.get(one.evaluation.protocol or ""), PROTOCOLS[figure.protocol]
    if ours is None:
        return False
    ways = [(p.color, p.rounding, p.crop_border, p.aligned) for p in (ours, theirs)]
    kinds = [p.ssim_kind for p in (ours, theirs)]
    if ways[0] == ways[1] and (grid.metric != "ssim" or kinds[0] == kinds[1]):
        return True
    grid.note(
        f"*: measured by protocol {figure.protocol}, not {one.evaluation.protocol}; not comparable."
    )
    return False


def _as_printed(figure: Figure) -> str:
    if figure.metric.startswith("psnr"):
        return f"{figure.value:.2f}"
    # papers print three or four decimals
    text = f"{figure.value:.4f}"
    return text[:-1] if text.endswith("0") else text
