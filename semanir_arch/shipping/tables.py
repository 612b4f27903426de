"""The tables of docs/weights.md: how the shipped networks were trained, and what they reach."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from semanir_arch.weights.catalogue import Score, ShippedWeights

__all__ = ["GOALS", "print_tables"]

GOALS = {
    ("denoise", "CBSD68"): ("DnCNN", (33.90, 31.24, 27.95)),
    ("denoise", "McMaster"): ("DnCNN", (33.45, 31.52, 28.62)),
    ("denoise_gray", "Set12"): ("DnCNN, blind", (32.67, 30.35, 27.18)),
    ("denoise_gray", "BSD68"): ("DnCNN, blind", (31.62, 29.16, 26.23)),
    ("jpeg_gray", "classic5"): ("DnCNN3", (29.40, 31.63, 32.91, 33.77)),
    ("jpeg_gray", "LIVE1"): ("DnCNN3", (29.19, 31.59, 32.98, 33.96)),
    ("sr_x2", "Set5"): ("VDSR", (37.53,)),
    ("sr_x4", "Set5"): ("VDSR", (31.35,)),
    ("demosaic", "Kodak24"): ("MMNet", (40.19,)),
    ("demosaic", "McMaster"): ("MMNet", (37.09,)),
}
"""Classic networks of the literature: PSNR in decibels, as published, at the levels we measure."""


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
    name, goals = GOALS.get((task, dataset), ("", ()))
    ours = [f"{value:.2f}" for value in row.ours]
    for index, goal in enumerate(goals):
        if float(ours[index]) >= goal:
            ours[index] = f"**{ours[index]}**"
    known = [f"{value:.2f}" for value in row.inputs if value is not None]
    cells = [
        f"`{task}`",
        dataset,
        f"{row.strength} {'/'.join(row.levels)}".strip() or "-",
        "/".join(known) or "-",
        "/".join(ours),
        f"{'/'.join(f'{goal:.2f}' for goal in goals)} ({name})" if goals else "-",
    ]
    return f"| {' | '.join(cells)} |"
