"""Everything a test has found out, before it is laid out for people or programs."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from semanir_arch.report.measurement import Measurement, Subject
from semanir_arch.report.provenance import describe_computer, find_commit, list_versions

__all__ = ["Missing", "Report"]


def _now() -> str:
    """The time in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


@dataclass(frozen=True)
class Missing:
    """A data set of the option file that was left out.

    Args:
        dataset: Name of the data set.
        setting: Values of the swept options, in words.
        reason: Fault of its files.
    """

    dataset: str
    setting: str
    reason: str


@dataclass(frozen=True)
class Report:
    """Results of one command, and what someone needs to judge and repeat them.

    Args:
        name: Name of the run.
        command: Command as it was typed.
        measurements: Measurements in the order of the command; those of one data set may differ in
            the setting.
        missing: Data sets that were left out.
        notes: Sentences on what is unusual.
        options: Complete options of the first test.
        date: End of the run, ISO 8601.
        commit: Commit of the code; None if git does not tell.
        versions: Versions of the programs that compute.
        computer: Device, threads and precision.
        seconds: Duration of this run, with reading and scoring.
    """

    name: str
    command: str
    measurements: Sequence[Measurement]
    missing: Sequence[Missing] = ()
    notes: Sequence[str] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    date: str = field(default_factory=_now)
    commit: str | None = field(default_factory=find_commit)
    versions: Mapping[str, str] = field(default_factory=list_versions)
    computer: Mapping[str, Any] = field(default_factory=lambda: describe_computer("cpu"))
    seconds: float = 0.0

    @property
    def checkpoints(self) -> dict[str, str | None]:
        """Digests of the tested files by name."""
        return {
            one.subject.weights: one.subject.sha256
            for one in self.measurements
            if one.subject.weights is not None
        }

    @property
    def memory(self) -> int | None:
        """Bytes that the process has used at most."""
        peaks = [row.memory for one in self.measurements for row in one.evaluation.rows]
        return max((peak for peak in peaks if peak is not None), default=None)

    def summary(self) -> dict[str, str]:
        """The facts in words, by name."""
        rows = [row for one in self.measurements for row in one.evaluation.rows]
        times = [row.seconds for row in rows if row.seconds is not None]
        reused = sum(one.reused for one in self.measurements)
        subjects = [one.subject for one in self.measurements]
        facts = {
            "command": self.command,
            "weights": _listed(
                "random"
                if s.weights is None
                else f"{s.weights} (sha256 {(s.sha256 or '')[:16]}...)"
                for s in subjects
            )
            or "random",
            "recognized as": _listed(s.layout for s in subjects if s.layout),
            "network": _listed(f"{s.network}, {s.parameters:,d} parameters" for s in subjects),
            "k": _listed(str(s.k) for s in subjects if s.k is not None),
            "protocol": _listed(one.evaluation.protocol or "none" for one in self.measurements),
            "self-ensemble": _listed("8 orientations" if s.ensemble else "no" for s in subjects),
            "tiles": _describe_tiles(self.measurements),
            "images": f"{len(rows)}" + (f", {reused} of them measured before" if reused else ""),
            "time": _describe_times(times, self.seconds),
            "peak memory": "unknown" if self.memory is None else f"{self.memory / 2**20:,.0f} MiB",
            **{name: str(value) for name, value in self.computer.items()},
            "date": self.date,
            "commit": self.commit or "unknown",
            "versions": ", ".join(f"{name} {version}" for name, version in self.versions.items()),
        }
        return {name: value for name, value in facts.items() if value}

    def all_notes(self) -> list[str]:
        """Sentences on what is unusual: missing data sets, missing targets, then all others."""
        settings: dict[tuple[str, str], list[str]] = {}
        for one in self.missing:
            settings.setdefault((one.dataset, one.reason), []).append(one.setting)
        missing = []
        for (name, reason), where in settings.items():
            at = f" ({', '.join(where)})" if any(where) else ""
            missing.append(f"Data set {name} is missing{at}: {reason}.")
        unmeasured = dict.fromkeys(
            note for one in self.measurements for note in one.evaluation.notes()
        )
        return [*missing, *self._random_weights(), *unmeasured, *self.notes]

    def _random_weights(self) -> list[str]:
        """Sentences on what was measured with random weights, and under which settings."""
        settings: dict[str, dict[str, None]] = {}
        for one in self.measurements:
            if one.subject.warning:
                label = " ".join(f"{name}={value}" for name, value in one.setting.items())
                settings.setdefault(one.subject.warning, {})[label] = None
        return [
            f"{', '.join(labels)}: {warning}" if any(labels) else warning
            for warning, labels in settings.items()
        ]


def _listed(words: Any) -> str:
    return "; ".join(dict.fromkeys(words))


def _name_weights(subject: Subject) -> str:
    if subject.weights is None:
        return "random"
    return f"{subject.weights} (sha256 {(subject.sha256 or '')[:16]}...)"


def _describe_tiles(measurements: Sequence[Measurement]) -> str:
    sides = [row.tile for one in measurements for row in one.evaluation.rows]
    cut = [side for side in sides if side is not None]
    if not cut:
        return "none, whole images"
    return f"{len(cut)} of {len(sides)} images, {_listed(str(side) for side in cut)} pixels"


def _describe_times(times: Sequence[float], total: float) -> str:
    if not times:
        return f"{total:.1f} s"
    restoring = f"{sum(times):.1f} s for restoring, median {median(times):.3g} s per image"
    return f"{restoring}; this run took {total:.1f} s"
