"""Parameters of degradations that are drawn anew for each image, declared once.

A `Knob` says what a parameter may be and what it is by default. A module declares its knobs in one
mapping; data sets, `generate_lq.py` and the documents read that mapping.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Knob", "Ranges", "chance", "describe_knobs", "draw", "read_knobs"]

Ranges = Mapping[str, tuple[float, float]]
"""Lowest and highest value of each parameter; equal ends are a constant."""


@dataclass(frozen=True)
class Knob:
    """One parameter.

    Args:
        default: Lowest and highest value that is drawn.
        limits: What option files may set.
        help: Meaning and unit.
        is_log: Whether the logarithm is drawn uniformly, rather than the value.
        is_chance: Whether it is a probability: one number, not drawn.
    """

    default: tuple[float, float]
    limits: tuple[float, float]
    help: str
    is_log: bool = False
    is_chance: bool = False


def chance(default: float, help_text: str) -> Knob:
    """A probability."""
    return Knob((default, default), (0, 1), help_text, is_chance=True)


def read_knobs(knobs: Mapping[str, Knob], given: Mapping[str, Any] | None, where: str) -> Ranges:
    """The ranges of all knobs: the defaults, and what an option file changes.

    Args:
        knobs: The declaration.
        given: Changes: a number, or `[low, high]`, by name.
        where: Name of the option that holds them, for messages.

    Raises:
        ValueError: A name is unknown, or a value has another form or exceeds its limits.
    """
    given = given or {}
    if not isinstance(given, Mapping):
        raise ValueError(f"{where} must be a block of names and values, received {given!r}")
    for name in given:
        if name not in knobs:
            close = difflib.get_close_matches(str(name), knobs, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"allowed: {', '.join(knobs)}"
            raise ValueError(f"{where}:{name} is unknown; {hint}")
    changed = {name: _read(knobs[name], value, f"{where}:{name}") for name, value in given.items()}
    return {name: changed.get(name, knob.default) for name, knob in knobs.items()}


def draw(knobs: Mapping[str, Knob], ranges: Ranges, name: str, rng: np.random.Generator) -> float:
    """A value of one knob.

    Args:
        knobs: The declaration.
        ranges: From `read_knobs`.
        name: Of the knob.
        rng: Source of randomness; one number is taken from it, also for a constant, so that the
            next draws do not depend on the range.
    """
    share = rng.random()
    low, high = ranges[name]
    if knobs[name].is_log and low > 0:
        return math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
    return low + share * (high - low)


def describe_knobs(knobs: Mapping[str, Knob]) -> str:
    """All knobs as a Markdown table."""
    rows = []
    for name, knob in knobs.items():
        (low, high), (lowest, highest) = knob.default, knob.limits
        value = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        value += " (log)" if knob.is_log else ""
        rows.append(f"| `{name}` | {value} | {lowest:g} to {highest:g} | {knob.help} |")
    return "\n".join(["| name | default | allowed | meaning |", "| :-- | :-- | :-- | :-- |", *rows])


def _read(knob: Knob, value: Any, key: str) -> tuple[float, float]:
    is_range = isinstance(value, (list, tuple))
    numbers = list(value) if is_range else [value]
    forms = "a number" if knob.is_chance else "a number or a range [low, high]"
    wrong_count = len(numbers) != (2 if is_range else 1) or (is_range and knob.is_chance)
    if wrong_count or not all(map(_is_number, numbers)):
        raise ValueError(f"{key} must be {forms}, received {value!r}")
    lowest, highest = knob.limits
    if not all(lowest <= number <= highest for number in numbers):
        raise ValueError(f"{key} must lie in [{lowest:g}, {highest:g}], received {value!r}")
    if numbers[0] > numbers[-1]:
        raise ValueError(f"{key} must go from low to high, received {value!r}")
    return float(numbers[0]), float(numbers[-1])


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
