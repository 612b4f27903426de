"""Charts of the page: every value has its mark, at the right place, with readable ticks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semanir_arch.report.page_charts import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Curve,
    draw_curve,
    draw_histogram,
)

VALUES = st.floats(-1e6, 1e6).map(lambda value: round(value, 6))


@given(st.lists(VALUES, min_size=1, max_size=60))
def test_a_histogram_holds_every_value_once(values):
    chart = draw_histogram("gain", "PSNR gain [dB]", values)
    counts = [int(row[1]) for row in chart.rows]
    assert sum(counts) == len(values)
    assert len(chart.bars) == len(counts) <= 13
    assert min(bar.x for bar in chart.bars) >= LEFT
    assert max(bar.x + bar.width for bar in chart.bars) <= WIDTH - RIGHT
    tallest = max(bar.height for bar in chart.bars)
    for bar, count in zip(chart.bars, counts, strict=True):
        assert bar.y + bar.height == pytest.approx(HEIGHT - BOTTOM)
        assert bar.height == pytest.approx(tallest * count / max(counts), abs=0.1)


def test_bars_count_as_numpy_does():
    values = np.random.default_rng(0).normal(3, 1, 200)
    chart = draw_histogram("gain", "dB", values.tolist())
    edges = [float(row[0].split(" to ")[0]) for row in chart.rows]
    edges.append(float(chart.rows[-1][0].split(" to ")[1]))
    assert [int(row[1]) for row in chart.rows] == np.histogram(values, edges)[0].tolist()
    assert np.allclose(np.diff(edges), 0.5)


def test_values_that_are_not_finite_are_counted_beside_the_histogram():
    chart = draw_histogram("gain", "dB", [1.0, 2.0, math.inf, math.nan])
    assert sum(int(row[1]) for row in chart.rows) == 2
    assert chart.note == "Without 2 images whose value is not finite."
    assert draw_histogram("gain", "dB", [math.nan]) is None
    assert draw_histogram("gain", "dB", []) is None


@pytest.mark.parametrize("value", [0.0, 3.0, -0.25, 1e-9])
def test_a_single_value_has_one_bar(value):
    chart = draw_histogram("gain", "dB", [value])
    assert [row[1] for row in chart.rows] == ["1"]
    assert len({tick.text for tick in chart.y_ticks}) == len(chart.y_ticks)


def test_points_of_a_curve_stand_where_their_values_are():
    points = [(64, 33.0), (128, 33.5), (256, 34.0)]
    chart = draw_curve(Curve("k", "keys", "PSNR [dB]", {"Set5": points}, log_x=True))
    (line,) = chart.series
    (x1, y1, text), (x2, y2, _), (x3, y3, _) = line.points
    assert x2 - x1 == pytest.approx(x3 - x2)
    assert y1 - y2 == pytest.approx(y2 - y3)
    assert y3 < y1
    assert text == "Set5, 64: 33.00"
    assert [tick.text for tick in chart.x_ticks] == ["64", "128", "256"]
    ticks = {tick.text: tick.position for tick in chart.y_ticks}
    assert ticks["33.0"] == pytest.approx(y1)
    assert ticks["34.0"] == pytest.approx(y3)
    assert chart.header == ["keys", "Set5"]
    assert chart.rows == [["64", "33.00"], ["128", "33.50"], ["256", "34.00"]]


@given(st.lists(st.tuples(st.integers(1, 5000), VALUES), min_size=1, max_size=30), st.booleans())
def test_everything_lies_within_the_axes(points, log):
    chart = draw_curve(Curve("k", "keys", "dB", {"a": points}, log_x=log))
    places = [*chart.series[0].points, *((LEFT, tick.position) for tick in chart.y_ticks)]
    for x, y, *_ in [*places, *((tick.position, TOP) for tick in chart.x_ticks)]:
        assert LEFT <= x <= WIDTH - RIGHT
        assert TOP <= y <= HEIGHT - BOTTOM
    assert 2 <= len(chart.y_ticks) <= 8
    assert len({tick.text for tick in chart.y_ticks}) == len(chart.y_ticks)


def test_series_with_other_points_share_a_table():
    chart = draw_curve(Curve("k", "keys", "dB", {"a": [(1, 2.0)], "b": [(1, 3.0), (2, math.nan)]}))
    assert chart.rows == [["1", "2.00", "3.00"]]
    assert [len(line.points) for line in chart.series] == [1, 1]


def test_a_curve_without_a_finite_point_is_not_drawn():
    assert draw_curve(Curve("k", "keys", "dB", {"a": [(1, math.nan)]})) is None
    assert draw_curve(Curve("k", "keys", "dB", {})) is None


def test_zero_on_a_logarithmic_axis_is_refused():
    with pytest.raises(ValueError, match="'k': x=0 on a logarithmic axis"):
        draw_curve(Curve("k", "keys", "dB", {"a": [(0, 1.0)]}, log_x=True))
