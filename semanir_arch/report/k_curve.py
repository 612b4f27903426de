"""Scores and time over the number of keys per token, as in the ablation of SemanIR's paper."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from semanir_arch.report.measurement import Measurement
from semanir_arch.report.table import Table, format_score
from semanir_arch.tasks import TASKS

__all__ = ["SECONDS", "KCurve", "draw_k_curves", "tabulate_k_curve"]

SECONDS = "seconds per image"


@dataclass(frozen=True)
class KCurve:
    """One quantity over k.

    Args:
        quantity: A score, or `SECONDS`.
        series: Points (k, value) in rising order of k, by data set and level.
    """

    quantity: str
    series: Mapping[str, list[tuple[int, float]]]


def draw_k_curves(measurements: Sequence[Measurement]) -> list[KCurve]:
    """A curve for each score and for time; none where k was not swept.

    Args:
        measurements: Measurements of one run.
    """
    swept = [one for one in measurements if "k" in one.setting]
    if not swept:
        return []
    scores = dict.fromkeys(name for one in swept for name in one.evaluation.names)
    curves = [_draw(name, swept, _mean_of(name)) for name in scores]
    return [*curves, _draw(SECONDS, swept, lambda one: one.seconds / len(one.evaluation.rows))]


def tabulate_k_curve(curve: KCurve) -> Table:
    """The same as a table, one row per k."""
    columns = {name: dict(points) for name, points in curve.series.items()}
    every = sorted({k for points in columns.values() for k in points})
    rows = [
        [str(k), *(_cell(curve.quantity, points.get(k)) for points in columns.values())]
        for k in every
    ]
    name = curve.quantity if curve.quantity == SECONDS else curve.quantity.upper()
    return Table(f"{name} over keys per token (k)", ["k", *columns], rows, [], [])


def _draw(
    quantity: str, measurements: Sequence[Measurement], value: Callable[[Measurement], float]
) -> KCurve:
    series: dict[str, list[tuple[int, float]]] = {}
    for one in measurements:
        measured = quantity == SECONDS or quantity in one.evaluation.names
        if one.evaluation.rows and measured:
            # the column says the levels
            said = {"k", *(task.strength for task in TASKS.values())}
            others = [f"{n}={v}" for n, v in one.setting.items() if n not in said]
            name = " ".join([one.column, *others])
            series.setdefault(name, []).append((int(one.setting["k"]), value(one)))
    return KCurve(quantity, {name: sorted(points) for name, points in series.items()})


def _mean_of(name: str) -> Callable[[Measurement], float]:
    return lambda one: one.evaluation.means()[name]


def _cell(quantity: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3g}" if quantity == SECONDS else format_score(quantity, value)
