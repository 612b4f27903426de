"""Scores of one data set under one setting, with everything that tells what they are scores of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from semanir_arch.metrics.protocols import PROTOCOLS
from semanir_arch.metrics.scores import Evaluation
from semanir_arch.tasks import TASKS

__all__ = ["Measurement", "Subject", "measured_level", "measured_task"]


@dataclass(frozen=True)
class Subject:
    """The network that was measured.

    Args:
        network: Class of the network.
        parameters: Number of learned values.
        weights: The file; None for random weights.
        sha256: Digest of the file.
        layout: Layout that the file was recognized as.
        k: Keys kept per token; None for networks without.
        ensemble: Whether the eight orientations were averaged.
        tile: Requested tiling: side of the tiles in pixels, `auto`, or None for whole images.
        fresh: Number of weights that are random despite a file, and number of all weights.
    """

    network: str
    parameters: int
    weights: str | None = None
    sha256: str | None = None
    layout: str | None = None
    k: int | None = None
    ensemble: bool = False
    tile: int | str | None = None
    fresh: tuple[int, int] = (0, 0)

    @property
    def warning(self) -> str:
        """A sentence where weights are random; otherwise empty."""
        if self.weights is None:
            return (
                "The weights are random, because path:pretrain_network_g names no file: these "
                "scores say nothing about a trained network."
            )
        if self.fresh[0]:
            return (
                f"{self.fresh[0]} of {self.fresh[1]} weights are random, because {self.weights} "
                "lacks them or path:fresh_g leaves them out: these are not the scores of the file."
            )
        return ""


@dataclass(frozen=True)
class Measurement:
    """Scores of one data set under one setting.

    Args:
        evaluation: The scores.
        subject: Network that was measured.
        setting: Values of the swept options by name.
        task: Task name, a key of `semanir_arch.tasks.TASKS`; None where nothing says it.
        level: Strength of the degradation, or scale; None for tasks without.
        reused: Number of images that an earlier, interrupted run had measured.
        examples: Files with the `input`, `output` and `target` of some images, by the image's place
            in the set.
    """

    evaluation: Evaluation
    subject: Subject
    setting: Mapping[str, Any] = field(default_factory=dict)
    task: str | None = None
    level: float | None = None
    reused: int = 0
    examples: Mapping[int, Mapping[str, Path]] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Data set and setting in words."""
        words = [self.evaluation.dataset, *(f"{k}={v}" for k, v in self.setting.items())]
        return " ".join(words)

    @property
    def column(self) -> str:
        """Data set and level in words, such as `CBSD68 sigma 25`."""
        if self.level is None or self.task is None:
            return self.evaluation.dataset
        return f"{self.evaluation.dataset} {TASKS[self.task].strength} {self.level:g}"

    @property
    def seconds(self) -> float:
        """Time of restoring all images together."""
        return sum(row.seconds or 0.0 for row in self.evaluation.rows)


def measured_task(protocol: str | None, dataset: object) -> str | None:
    """Task of which a data set gave scores: its own, where it says so, or its protocol's.

    Args:
        protocol: Protocol of the evaluation; None for one without.
        dataset: Data set; `TASK` of ours names the task that it is for, where it serves but one.
    """
    own: str | None = getattr(dataset, "TASK", None)
    if own is not None or protocol not in PROTOCOLS:
        return own
    return PROTOCOLS[protocol].task


def measured_level(task: str | None, block: Mapping[str, Any], scale: int) -> float | None:
    """Level at which a data set is degraded.

    Args:
        task: Result of `measured_task`.
        block: Options of the data set.
        scale: Scale of super-resolution.
    """
    option = TASKS[task].strength if task is not None else None
    value = scale if option == "scale" else block.get(option or "")
    return float(value) if isinstance(value, (int, float)) else None
