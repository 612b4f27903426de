"""The tables of docs/weights.md: how the shipped networks were trained, and what they reach."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from semanir_arch.report.published import load_published
from semanir_arch.weights.catalogue import Score, ShippedWeights

__all__ = ["GOALS", "Goal", "print_tables"]


@dataclass(frozen=True)
class Goal:
    """A classic network of the literature whose PSNR ours should reach.

    Args:
        network: Name in papers.
        blind: Whether one network serves all levels.
        psnr: Figures in decibels, as published, where `report/published.yml` has none.
    """

    network: str
    blind: bool = False
    psnr: tuple[float, ...] = ()

    @property
    def name(self) -> str:
        """Network, with a word about blind ones."""
        return f"{self.network}, blind" if self.blind else self.network

    def figures(self, task: str, dataset: str) -> tuple[float, ...]:
        """PSNR in decibels on a data set, as published, from the lowest level to the highest."""
        found = {
            figure.level or 0.0: figure.value
            for figure in load_published().figures
            if (figure.task, figure.dataset, figure.metric) == (task, dataset, "psnr")
            and (figure.network, figure.blind) == (self.network, self.blind)
        }
        return tuple(found[level] for level in sorted(found)) or self.psnr


GOALS = {
    ("denoise", "CBSD68"): Goal("DnCNN"),
    ("denoise", "McMaster"): Goal("DnCNN"),
    ("denoise_gray", "Set12"): Goal("DnCNN", blind=True),
    ("denoise_gray", "BSD68"): Goal("DnCNN", blind=True),
    ("jpeg_gray", "classic5"): Goal("DnCNN3", blind=True),
    ("jpeg_gray", "LIVE1"): Goal("DnCNN3", blind=True),
    ("sr_x2", "Set5"): Goal("VDSR", psnr=(37.53,)),
    ("sr_x4", "Set5"): Goal("VDSR", psnr=(31.35,)),
    ("demosaic", "Kodak24"): Goal("MMNet"),
    ("demosaic", "McMaster"): Goal("MMNet"),
}
"""By task and data set."""


@dataclass
class _Row:
    """Scores of one network on one data set, by level."""

    strength: str = ""
    levels: list[str] = field(default_factory=list)
    inputs: list[float | None] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)

    def add(self, score: Score) -> None:
        self.strength, _, level = score.level.partition(" ")
        self.levels.append(level)
        self.inputs.append(score.psnr_input)
        self.ours.append(score.psnr)


def print_tables(shipped: Sequence[ShippedWeights]) -> str:
    """Print both tables in Markdown.

    Args:
        shipped: Weights to show, in this order.
    """
    trainings = [_describe_training(entry) for entry in shipped]
    scores = [row for entry in shipped for row in _describe_scores(entry)]
    return "\n".join(
        [
            "| task | network | parameters | started from | iterations | minutes |",
            "| :-- | :-- | --: | :-- | --: | --: |",
            *trainings,
            "",
            "| task | data set | level | input | ours | goal |",
            "| :-- | :-- | :-- | :-- | :-- | :-- |",
            *scores,
            "",
        ]
    )


def _describe_training(shipped: ShippedWeights) -> str:
    iterations = " + ".join(f"{part['iterations']:,d}" for part in shipped.trainings)
    minutes = " + ".join(f"{part['minutes']:.0f}" for part in shipped.trainings)
    # a file of the package, or one of a training that went on
    start = re.sub(
        r"^(?:.*/)?(?:(\w+)\.safetensors|shipped_(\w+)/models/\w+\.pth) .*",
        r"`\1\2`",
        shipped.trainings[0]["started_from"] or "-",
    )
    cells = [
        f"`{shipped.task.name}`",
        shipped.record["network"]["type"],
        f"{shipped.parameters:,d}",
        start,
        iterations,
        minutes,
    ]
    return f"| {' | '.join(cells)} |"


def _describe_scores(shipped: ShippedWeights) -> list[str]:
    rows: dict[str, _Row] = {}
    for score in shipped.scores:
        rows.setdefault(score.dataset, _Row()).add(score)
    return [_lay_out(shipped.task.name, dataset, row) for dataset, row in rows.items()]


def _lay_out(task: str, dataset: str, row: _Row) -> str:
    goal = GOALS.get((task, dataset))
    figures = goal.figures(task, dataset) if goal else ()
    ours = [f"{value:.2f}" for value in row.ours]
    for index, figure in enumerate(figures):
        if float(ours[index]) >= figure:
            ours[index] = f"**{ours[index]}**"
    known = [f"{value:.2f}" for value in row.inputs if value is not None]
    cells = [
        f"`{task}`",
        dataset,
        f"{row.strength} {'/'.join(row.levels)}".strip() or "-",
        "/".join(known) or "-",
        "/".join(ours),
        f"{'/'.join(f'{figure:.2f}' for figure in figures)} ({goal.name})" if goal else "-",
    ]
    return f"| {' | '.join(cells)} |"
