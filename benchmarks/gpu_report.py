"""What the steps of `gpu_hour.py` print, what follows from it, and the same for people."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = [
    "find_doubts",
    "read_machine",
    "read_rows",
    "read_tests",
    "read_training",
    "write_report",
]

FASTER_THAN = "masked"
"""The backend that the kernels would replace."""

FEWEST = {"forward": 6, "forward and backward": 4}
"""Cases in 16 bits that must have been timed."""

_TEST = re.compile(
    r"^(?:\[gw\d+\] \[ *\d+%\] )?(?:(PASSED|FAILED|ERROR|SKIPPED) )?(tests/\S+::\S+)"
    r"(?: (PASSED|FAILED|ERROR|SKIPPED))?",
    re.MULTILINE,
)
_COUNT = re.compile(r"(?:\bcollected |\d workers? \[)(\d+) items?(?: / (\d+) deselected)?")
_CASE, _NAME, _MS = slice(0, 7), 7, 8
_DTYPE, _PASS = 0, 6

Row = list[str]


def read_tests(text: str) -> dict[str, Any]:
    """Outcome of each test, and how many were chosen, from pytest's -v output."""
    outcomes = {}
    for before, name, after in _TEST.findall(text):
        if before or after:
            outcomes[name] = (before or after).lower()
    counts = [int(whole) - int(left or 0) for whole, left in _COUNT.findall(text)]
    return {"tests": outcomes, "chosen": max(counts, default=0)}


def read_rows(text: str) -> dict[str, list[Row]]:
    """Cells of all tables, without their heads."""
    rows = [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    rules = [number for number, row in enumerate(rows) if set("".join(row)) == {"-"}]
    skipped = {*rules, *(number - 1 for number in rules)}
    return {"rows": [row for number, row in enumerate(rows) if number not in skipped]}


def read_machine(text: str) -> dict[str, Any]:
    """The line of JSON, once it is there."""
    for line in text.splitlines():
        if line.startswith("{"):
            return {"machine": json.loads(line)}
    return {}


def read_training(text: str) -> dict[str, Any]:
    """Whether better weights came out, and the scores."""
    scores = [line for line in text.splitlines() if re.match(r"\S+: [\d.]+ dB", line)]
    return {"published": "\nShipped. " in text, "scores": scores}


def find_doubts(record: Mapping[str, Any]) -> list[str]:
    """Why the kernels should not be chosen automatically; empty if nothing speaks against it.

    Args:
        record: Record of a `gpu_session.Session`.
    """
    steps = record["steps"]
    machine = steps.get("machine", {}).get("machine", {})
    doubts = []
    if record.get("rehearsal") or not machine.get("gpu"):
        doubts.append("this was not run on a GPU")
    doubts += _doubts_about_tests(steps)
    gradient = steps.get("bias gradient", {})
    if gradient.get("status") != "passed":
        doubts.append(f"gradient of the bias: {gradient.get('status', 'not run')}")
    doubts += _doubts_about_times(steps)
    return doubts


def _doubts_about_tests(steps: Mapping[str, Any]) -> Iterator[str]:
    outcomes: dict[str, str] = {}
    for name in ("tests", "other tests"):
        outcomes |= steps.get(name, {}).get("tests", {})
    chosen = steps.get("tests", {}).get("chosen", 0)
    passed = sum(outcome == "passed" for outcome in outcomes.values())
    if not chosen or passed < chosen:
        yield f"tests: {passed} of {chosen} passed"
    for name, outcome in outcomes.items():
        if outcome in ("failed", "error"):
            yield f"{name}: {outcome}"


def _doubts_about_times(steps: Mapping[str, Any]) -> Iterator[str]:
    rows = [row for key in ("forward", "backward") for row in steps.get(key, {}).get("rows", [])]
    cases: dict[tuple[str, ...], dict[str, str]] = {}
    for row in rows:
        if len(row) > _MS and row[_DTYPE] != "float32":
            cases.setdefault(tuple(row[_CASE]), {})[row[_NAME]] = row[_MS]
    for direction, fewest in FEWEST.items():
        timed = sum(case[_PASS] == direction for case in cases)
        if timed < fewest:
            yield f"times, {direction}: {timed} cases in 16 bits, not {fewest}"
    for case, found in cases.items():
        ours, theirs = _number(found.get("triton")), _number(found.get(FASTER_THAN))
        where = " ".join(case)
        if ours is None:
            yield f"times, {where}: triton {found.get('triton', 'is missing')}"
        elif theirs is not None and ours >= theirs:
            yield f"times, {where}: triton {ours} ms, {FASTER_THAN} {theirs} ms"
    yield from _doubts_about_dictionary(steps.get("dictionary", {}).get("rows", []))


def _doubts_about_dictionary(rows: list[Row]) -> Iterator[str]:
    times = {(row[0], row[1]): _number(row[2]) for row in rows if len(row) > 2}
    sizes = sorted({k for k, _ in times})
    if not sizes:
        yield "times of the dictionary are missing"
    for k in sizes:
        ours, theirs = times.get((k, "its dictionary")), times.get((k, "dictionary, plain torch"))
        if ours is None or theirs is None or ours >= theirs:
            yield f"dictionary, k {k}: kernels {ours} ms, torch {theirs} ms"


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None


def write_report(record: Mapping[str, Any], log: str) -> str:
    """The record in Markdown.

    Args:
        record: Record of a `gpu_session.Session`.
        log: Output of the steps; its tables are repeated.
    """
    steps = record["steps"]
    machine = steps.get("machine", {}).get("machine", {})
    kind = "Rehearsal without a GPU" if record.get("rehearsal") else "A few minutes of a GPU"
    lines = [f"# {kind}", "", f"{record['date']}, {json.dumps(machine)[1:-1]}.", ""]
    doubts = find_doubts(record)
    if doubts:
        lines += ["The kernels are not to be chosen automatically:", ""]
        lines += [f"- {doubt}" for doubt in doubts]
    else:
        lines += ["Nothing speaks against choosing the kernels automatically."]
    lines += ["", "| step | how it ended | seconds | last line |", "| --- | --- | --: | --- |"]
    for entry in steps.values():
        last = entry.get("last line", "").replace("|", "/")
        lines.append(f"| {entry['title']} | {entry['status']} | {entry['seconds']:.0f} | {last} |")
    for entry in steps.values():
        if entry.get("scores"):
            lines += ["", f"{entry['title']}: {'; '.join(entry['scores'])}."]
    tables = [
        line for line in log.splitlines() if re.match(r"\||=== |#|Command|\d{4}-\d\d-\d\d,", line)
    ]
    lines += ["", "## What was printed", ""]
    lines += [f"\n{line[4:]}\n" if line.startswith("=== ") else line for line in tables]
    return "\n".join(lines) + "\n"
