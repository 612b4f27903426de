"""Geometry of the page's charts; the template `charts.html` draws them as SVG.

Lengths are in units of the SVG's view box, with the origin at the upper left.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from semanir_arch.utils.errors import InputError

__all__ = ["Bar", "Chart", "Curve", "Series", "Tick", "draw_curve", "draw_histogram"]

WIDTH, HEIGHT = 480, 260
LEFT, RIGHT, TOP, BOTTOM = 66, 16, 14, 46

_TICKS, _BARS = 5, 12
_MOST_NAMED_POINTS = 10


@dataclass(frozen=True)
class Curve:
    """Values over a parameter, such as PSNR over the keys kept per token.

    Args:
        title: Title above the chart.
        x_label: Label of the horizontal axis, with unit.
        y_label: Label of the vertical axis, with unit.
        series: Points (x, y) by name, in rising order of x; values that are not finite are left
            out.
        log_x: Whether equal ratios of x get equal distances; x must be above 0.
    """

    title: str
    x_label: str
    y_label: str
    series: Mapping[str, Sequence[tuple[float, float]]]
    log_x: bool = False


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: its place along it, and its text."""

    position: float
    text: str


@dataclass(frozen=True)
class Bar:
    """One bar of a histogram, with the text that a pointer over it shows."""

    x: float
    y: float
    width: float
    height: float
    text: str


@dataclass(frozen=True)
class Series:
    """Points of one curve: (x, y, text that a pointer over it shows)."""

    name: str
    points: list[tuple[float, float, str]]

    @property
    def path(self) -> str:
        """The line through all points, as SVG's `points`."""
        return " ".join(f"{x:g},{y:g}" for x, y, _ in self.points)


@dataclass(frozen=True)
class Chart:
    """Drawing for the template, and the same numbers as a table.

    Attributes:
        rows: Cells of the table below the chart, without those of the header.
    """

    title: str
    x_label: str
    y_label: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    bars: list[Bar] = field(default_factory=list)
    series: list[Series] = field(default_factory=list)
    header: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    note: str = ""


@dataclass(frozen=True)
class _Axis:
    """Maps values to places."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def place(self, value: float) -> float:
        low, high, value = (
            (math.log(number) for number in (self.low, self.high, value))
            if self.log
            else (self.low, self.high, value)
        )
        return round(self.start + (value - low) / (high - low) * (self.end - self.start), 2)


def draw_histogram(title: str, x_label: str, values: Sequence[float]) -> Chart | None:
    """Distribution of one value per image; None if no value is finite."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return None
    step = _nice_step(max(finite) - min(finite), _BARS - 1) or _nice_step(abs(finite[0]), 10) or 1.0
    first = math.floor(min(finite) / step)
    numbers = [math.floor(value / step) - first for value in finite]
    counts = [numbers.count(number) for number in range(max(numbers) + 1)]
    edges = [(first + number) * step for number in range(len(counts) + 1)]
    x = _Axis(edges[0], edges[-1], LEFT, WIDTH - RIGHT)
    y_ticks, y = _value_axis(0, max(counts), whole=True)
    bars, rows = [], []
    for count, low, high in zip(counts, edges, edges[1:], strict=False):
        span = f"{_text(low, step)} to {_text(high, step)}"
        left, top = x.place(low), y.place(count)
        bars.append(
            Bar(
                left + 1,
                top,
                round(x.place(high) - left - 2, 2),
                round(HEIGHT - BOTTOM - top, 2),
                f"{span}: {_images(count)}",
            )
        )
        rows.append([span, str(count)])
    every = math.ceil(len(edges) / 7)
    missing = len(values) - len(finite)
    return Chart(
        title,
        x_label,
        "images",
        x_ticks=[Tick(x.place(edge), _text(edge, step)) for edge in edges[::every]],
        y_ticks=y_ticks,
        bars=bars,
        header=[x_label, "images"],
        rows=rows,
        note=f"Without {_images(missing)} whose value is not finite." if missing else "",
    )


def draw_curve(curve: Curve) -> Chart | None:
    """One line per series; None if no point is finite.

    Raises:
        ValueError: A logarithmic axis with an x that is not above 0.
    """
    series = {
        name: [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
        for name, points in curve.series.items()
    }
    points = [point for name in series for point in series[name]]
    if not points:
        return None
    xs = sorted({x for x, _ in points})
    if curve.log_x and xs[0] <= 0:
        raise InputError(f"curve {curve.title!r}: x={xs[0]:g} on a logarithmic axis; allowed: > 0")
    x = _parameter_axis(xs, curve.log_x)
    y_ticks, y = _value_axis(min(y for _, y in points), max(y for _, y in points))
    drawn = [
        Series(name, [(x.place(a), y.place(b), f"{name}, {a:g}: {_value(b)}") for a, b in line])
        for name, line in series.items()
    ]
    by_x = [dict(line) for line in series.values()]
    return Chart(
        curve.title,
        curve.x_label,
        curve.y_label,
        x_ticks=[Tick(x.place(value), f"{value:g}") for value in _named(xs, curve.log_x)],
        y_ticks=y_ticks,
        series=drawn,
        header=[curve.x_label, *series],
        rows=[
            [f"{value:g}", *(_value(line[value]) if value in line else "" for line in by_x)]
            for value in xs
        ],
    )


def _parameter_axis(xs: Sequence[float], log: bool) -> _Axis:
    """The horizontal axis; a single x stands in its middle."""
    low, high = xs[0], xs[-1]
    if low == high:
        low, high = (low / 2, high * 2) if log else (low - 1, high + 1)
    return _Axis(low, high, LEFT + 14, WIDTH - RIGHT - 14, log)


def _named(xs: list[float], log: bool) -> list[float]:
    """Values of x with a text at the axis: those of the points, if they are few."""
    if len(xs) <= _MOST_NAMED_POINTS:
        return xs
    if log:
        return xs[:: math.ceil(len(xs) / _MOST_NAMED_POINTS)]
    return _multiples(xs[0], xs[-1], _nice_step(xs[-1] - xs[0], _TICKS), inside=True)


def _value_axis(low: float, high: float, *, whole: bool = False) -> tuple[list[Tick], _Axis]:
    """The vertical axis, from a round number below `low` to one above `high`, and its marks."""
    step = _nice_step(high - low, _TICKS) or _nice_step(abs(high), 20) or 1.0
    step = max(1.0, step) if whole else step
    marks = _multiples(low, high, step)
    if len(marks) == 1:
        marks = [marks[0] - step, marks[0], marks[0] + step]
    axis = _Axis(marks[0], marks[-1], HEIGHT - BOTTOM, TOP)
    return [Tick(axis.place(mark), _text(mark, step)) for mark in marks], axis


def _multiples(low: float, high: float, step: float, *, inside: bool = False) -> list[float]:
    """Multiples of `step`, enough to reach around or, with `inside`, only within the range."""
    down, up = (math.ceil, math.floor) if inside else (math.floor, math.ceil)
    # quotients such as 30.3 / 0.1 miss the whole number they stand for
    first, last = down(round(low / step, 9)), up(round(high / step, 9))
    return [number * step for number in range(first, last + 1)]


def _nice_step(span: float, count: int) -> float:
    """1, 2 or 5 times a power of ten, so that at most `count` steps cover the span; 0 for 0."""
    if span <= 0:
        return 0.0
    power = 10.0 ** math.floor(math.log10(span / count))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor * count >= span)


def _text(value: float, step: float) -> str:
    """A multiple of `step` with the digits that it needs."""
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    # no minus before a rounded zero
    return f"{round(value, digits) + 0.0:.{digits}f}"


def _value(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 1 else f"{value:.2f}"


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"
