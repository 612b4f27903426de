"""docs/claims.md: each claim, its verdict by a fixed rule, and the figures."""

from __future__ import annotations

import json
import statistics
import textwrap
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from claims_costs import exponent
from claims_runs import BATCH, CURVE, PATCH, RATE, TASKS
from claims_variants import KEYS, LAYERS, MANY, TOKENS, VARIANTS, WIDTH, WINDOW
from measure import markdown_table

__all__ = ["verdict", "write_page"]

TIE = 0.05
"""Decibels below which two means are called equal: about what another seed changes."""

Records = Mapping[tuple[str, str, int], Mapping[str, Any]]

HOLDS, IN_PART, FAILS, UNKNOWN = (
    "holds", "holds in part", "does not hold here", "not decided: runs are missing",
)  # fmt: skip


def write_page(folder: Path) -> str:
    """The page in Markdown.

    Args:
        folder: Folder of the records.
    """
    records = load(folder)
    costs_file = folder / "costs.json"
    costs = json.loads(costs_file.read_text()) if costs_file.is_file() else None
    parts = [_introduction(records), _sharing(records, costs), _choice(records), _k(records),
             _linear(costs), _others(records), _every_run(records)]  # fmt: skip
    headings = [part.splitlines()[0].removeprefix("## ") for part in parts[1:-1]]
    summary = "\n".join(f"{line.replace(': ', ': **', 1)}**" for line in headings)
    return "\n".join([parts[0], summary, "", *parts[1:]])


def load(folder: Path) -> Records:
    """Records by task, variant and seed."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        record = json.loads(path.read_text())
        if "task" in record:
            found[record["task"], record["name"], record["seed"]] = record
    return found


def verdict(differences: Iterable[float | None]) -> str:
    """What differences in dB say, each of what is claimed to be better less the other.

    Every one must be above -TIE for "holds", some for "holds in part".
    """
    values = list(differences)
    if not values or any(value is None for value in values):
        return UNKNOWN
    good = [value > -TIE for value in values if value is not None]
    return HOLDS if all(good) else IN_PART if any(good) else FAILS


def gain(records: Records, task: str, name: str, other: str, measure: str) -> float | None:
    """Mean over the seeds that both have of a measure of `name` less that of `other`, in dB."""
    seeds = {s for t, n, s in records if (t, n) == (task, name)}
    seeds &= {s for t, n, s in records if (t, n) == (task, other)}
    if not seeds:
        return None
    read = MEASURES[measure]
    return statistics.fmean(
        read(records[task, name, seed]) - read(records[task, other, seed]) for seed in seeds
    )


def _last(scores: Mapping[str, float]) -> float:
    return float(scores[max(scores, key=float)])


MEASURES: dict[str, Callable[[Mapping[str, Any]], float]] = {
    "equal iterations": lambda record: _last(record["at_iterations"]),
    "equal minutes": lambda record: _last(record["at_minutes"]),
}


def _gains(records: Records, name: str, others: Iterable[str]) -> list[tuple[str, ...]]:
    rows = []
    for other in others:
        cells = [
            _signed(gain(records, task, name, other, measure))
            for task in TASKS
            for measure in MEASURES
        ]
        rows.append((VARIANTS[other].what, *cells))
    return rows


def _gain_table(records: Records, name: str, others: Iterable[str]) -> str:
    columns = ["against", *(f"{task}, {measure}" for task in TASKS for measure in MEASURES)]
    return markdown_table(columns, [list(row) for row in _gains(records, name, others)])


def _all_gains(records: Records, name: str, others: Iterable[str]) -> list[float | None]:
    return [
        gain(records, task, name, other, measure)
        for other in others
        for task in TASKS
        for measure in MEASURES
    ]


def _introduction(records: Records) -> str:
    first = next(iter(records.values()), None)
    origin = first["origin"] if first else {}
    minutes = max((float(m) for r in records.values() for m in r["at_minutes"]), default=0)
    count = max((int(i) for r in records.values() for i in r["at_iterations"]), default=0)
    return "\n\n".join([
        "# The paper's claims, tested on one processor core",
        "```bash\n"
        "python benchmarks/claims.py run       # train what has no record yet\n"
        "python benchmarks/claims.py costs     # time and memory against window and k\n"
        "python benchmarks/claims.py report    # write this page from the records\n"
        "```",
        _wrapped(
            "Nobody outside the authors has published a training of SemanIR. We trained small pure "
            f"SemanIR networks and their controls: {len(LAYERS)} stages of {LAYERS[0]} layers, "
            f"{WIDTH} channels, windows of {WINDOW} x {WINDOW} ({TOKENS} tokens), k {KEYS}, about "
            "0.22 M parameters. These runs are short. They show what the method does early in "
            "training and at this size; they say nothing about the published networks at full "
            "length."
        ),
        "\n".join(_wrapped(text, "- ") for text in (
            f"**Data**: {BATCH} patches of {PATCH} x {PATCH} per iteration from CID22 and BSDS400, "
            f"the same patches in the same order for each seed. Tasks: {' and '.join(TASKS)} "
            "(color, noise of sigma 25; JPEG of quality 10).",
            f"**Training**: AdamW at a constant {RATE:g}, Charbonnier loss, scores of the averaged "
            f"weights. One run serves both comparisons: after {count} iterations, and after "
            f"{minutes:g} minutes of processor time (training alone, one thread, float32).",
            "**Scores**: PSNR in dB on the middles of 24 held-out photographs of CID22 (CBSD68 "
            "below).",
            f"**Verdicts** follow one rule: a difference counts from {TIE} dB on. \"Holds\" needs "
            "every comparison of the claim, \"holds in part\" needs some. Gains are means over the "
            "seeds that both networks have.",
            f"{len(records)} runs. Machine: {origin.get('processor', '')}, torch "
            f"{origin.get('torch', '')}. Other work ran on the machine at the same time, which can "
            "change processor time by some percent.",
        )),
        "What came out:\n",
    ])  # fmt: skip


def _wrapped(text: str, first: str = "") -> str:
    """A paragraph, or an item of a list, in lines of at most 100 characters."""
    return textwrap.fill(
        text, 100, initial_indent=first, subsequent_indent=" " * len(first),
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _sharing(records: Records, costs: Mapping[str, Any] | None) -> str:
    others = ("per_layer", "dense")
    words = verdict(_all_gains(records, "semanir", others))
    rows, overlap = [], []
    if costs:
        for name, (seconds, memory) in costs["sharing"].items():
            rows.append([VARIANTS[name].what, f"{seconds:.2f}", f"{memory:.0f}"])
    for (task, name, seed), record in records.items():
        if name == "semanir" and record["overlap"]:
            for stage, shares in enumerate(record["overlap"], 1):
                cells = [f"{share:.2f}" for share in shares]
                overlap.append([f"{task}, seed {seed}, stage {stage}", *cells])
    layers = [f"layer {number + 1}" for number in range(LAYERS[0])]
    columns = ["training step", "time, s", "memory, MiB"]
    table = markdown_table(columns, rows) if rows else "Costs: not measured."
    return f"""## 1. One dictionary can serve a whole stage: {words}

Gain in dB of one dictionary per stage:

{_gain_table(records, "semanir", others)}
{table}

Share of its own k keys that each layer would find in the shared dictionary:

{markdown_table(["run", *layers], overlap)}
Would change the verdict: a difference to a dictionary per layer that grows with training or depth.
"""


def _choice(records: Records) -> str:
    others = ("random", "near", "grid")
    differences = _all_gains(records, "semanir", others)
    words = UNKNOWN
    if None not in differences:
        better = [value > TIE for value in differences if value is not None]
        words = HOLDS if all(better) else IN_PART if any(better) else FAILS
    return f"""## 2. Similar keys are better than other keys: {words}

Gain in dB of key-semantic choice at the same k; to hold, each must exceed {TIE} dB:

{_gain_table(records, "semanir", others)}
Would change the verdict: longer training, larger windows (where random keys are further apart), or
repetitive pictures such as Urban100, which are not in this comparison.
"""


def _k(records: Records) -> str:
    names = ("semanir", "k128", "k16", "k_drawn", "dense")
    rows = []
    for task in TASKS:
        for name in names:
            runs = [r for (t, n, _), r in records.items() if (t, n) == (task, name)]
            if runs:
                curves = [[run["curve"][str(k)] for k in CURVE] for run in runs]
                cells = [
                    f"{statistics.fmean(c[i][0] for c in curves):.2f}" for i in range(len(CURVE))
                ]
                rows.append([f"{task}: {VARIANTS[name].what}", *cells])
    times = [r["curve"] for (_, n, _), r in records.items() if n == "k_drawn" and r["curve"]]
    if times:
        cells = [
            f"{statistics.fmean(t[str(k)][1] / t[str(CURVE[-1])][1] for t in times):.2f}"
            for k in CURVE
        ]
        rows.append(["time, relative to all keys", *cells])
    words = UNKNOWN
    losses = [_spread(records, task, most) for task in TASKS for most in (max(MANY), TOKENS)]
    if None not in losses:
        flat = [drawn < fixed for drawn, fixed in losses]  # type: ignore[misc]
        words = HOLDS if all(flat) else IN_PART if any(flat) else FAILS
    rule = (
        "Held-out PSNR by k at test time. The claim holds if the curve of the network that drew k "
        "varies less than that of the one with k fixed at half the window: up to the largest k "
        f"that was drawn ({max(MANY)}), and up to all keys. (The first version of this rule, "
        "written before the runs, looked at all keys alone.)"
    )
    return f"""## 3. Drawing k in training lets it be chosen at test time: {words}

{_wrapped(rule)}

{markdown_table(["training", *(f"k {k}" for k in CURVE)], rows)}
Would change the verdict: other sets to draw from; a fixed k that is small against the window.
"""


def _spread(records: Records, task: str, most: int) -> tuple[float, float] | None:
    """How far the curves of drawn and of fixed k vary up to k `most`, in dB; mean over seeds."""
    spreads = []
    for name in ("k_drawn", "k128"):
        curves = [
            [value[0] for k, value in record["curve"].items() if int(k) <= most]
            for (t, n, _), record in records.items()
            if (t, n) == (task, name)
        ]
        if not curves:
            return None
        spreads.append(statistics.fmean(max(curve) - min(curve) for curve in curves))
    return spreads[0], spreads[1]


def _linear(costs: Mapping[str, Any] | None) -> str:
    if costs is None:
        return f"## 4. Cost is linear: {UNKNOWN}\n"
    rows, slopes = [], {}
    for title, of in (("windows k 64", "window"), ("windows dense", "window"), ("keys", "k")):
        measured = costs[title]
        slopes[title] = exponent(measured, 0)
        for key, (seconds, memory) in measured.items():
            rows.append([title, f"{of} {key}", f"{seconds:.2f}", f"{memory:.0f}"])
        rows.append([title, "**exponent**", f"{slopes[title]:.2f}", f"{exponent(measured, 1):.2f}"])
    # tokens grow with the square of the side, so dense attention at constant pixels has exponent 2
    linear = slopes["windows k 64"] < slopes["windows dense"] / 2, slopes["keys"] <= 1.1
    words = HOLDS if all(linear) else IN_PART if any(linear) else FAILS
    return f"""## 4. Cost grows linearly with k and not with the window: {words}

Forward and backward of one stage of 4 layers on 128 x 128 pixels. Dense attention at constant
pixels costs as the side of the window to the power of 2, beside what does not depend on it. The
claim holds if the exponent at k 64 is below half of the dense one and that over k at most 1.1.

{markdown_table(["series", "at", "time, s", "memory, MiB"], rows)}
Building the dictionary compares all tokens of a window once per stage: that part stays quadratic.
Would change the verdict: windows so large that building outweighs the layers that share it.
"""


def _others(records: Records) -> str:
    others = ("swinir", "restormer", "ramit")
    words = verdict(_all_gains(records, "semanir", others))
    return f"""## 5. SemanIR against other networks of its size: {words}

Gain in dB of SemanIR (one dictionary per stage):

{_gain_table(records, "semanir", others)}
The others are shrunk to about the same parameters; their authors did not design them for this size.
Would change the verdict: more minutes, where networks that learn fast early may be overtaken.
"""


def _every_run(records: Records) -> str:
    rows = []
    for (task, name, seed), record in records.items():
        rows.append([
            task, VARIANTS[name].what, str(seed), f"{record['parameters'] / 1e6:.3f}",
            f"{_last(record['at_iterations']):.2f}", f"{_last(record['at_minutes']):.2f}",
            str(record["iterations"]), f"{record['seconds']:.2f}", f"{record['cbsd68']:.2f}",
        ])  # fmt: skip
    columns = ["task", "network", "seed", "M parameters", "dB at equal iterations",
               "dB at equal minutes", "iterations", "s per iteration", "CBSD68, dB"]  # fmt: skip
    return f"""## All runs

CBSD68: middles of 128 x 128 pixels, at the end of each run, whose lengths differ.

{markdown_table(columns, rows)}"""


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+.2f}"
