"""A degradation's strength in option files: a number, a range, or a list of numbers.

- `sigma: 25`: always 25
- `sigma: [0, 50]`: uniform between 0 and 50
- `sigma: {list: [15, 25, 50]}`: one of the three

Where only whole numbers make sense, such as the quality of JPEG, a range has them all, both ends
included.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from semanir_arch.data.randomness import integer, uniform
from semanir_arch.utils.errors import InputError

_FORMS = "a number, a range [low, high] or {list: [values]}"


@dataclass(frozen=True)
class Level:
    """Values that may be drawn.

    Args:
        values: The value of a constant, the ends of a range, or all values of a list.
        is_range: Whether `values` are the ends of a range.
        is_whole: Whether only whole numbers are drawn.
        is_log: Whether the logarithm is drawn uniformly; the ends of a range are then above 0.
    """

    values: tuple[float, ...]
    is_range: bool = False
    is_whole: bool = False
    is_log: bool = False

    @property
    def is_constant(self) -> bool:
        """Whether every draw gives the same value."""
        return len(set(self.values)) == 1

    def draw(self, generator: torch.Generator) -> float:
        """One value."""
        if self.is_range:
            low, high = self.values
            if self.is_whole:
                return low + integer(int(high - low) + 1, generator)
            return uniform(low, high, generator)
        return self.values[integer(len(self.values), generator)]

    def sample(self, rng: np.random.Generator) -> float:
        """One value, drawn by NumPy; `draw` and this one give different values."""
        if self.is_range:
            low, high = self.values
            if self.is_whole:
                return float(rng.integers(int(low), int(high) + 1))
            return float(rng.uniform(low, high))
        return self.values[int(rng.integers(len(self.values)))]

    def at(self, share: float) -> float:
        """The value at a share of the way from the lowest to the highest, 0 to below 1."""
        low, high = self.values[0], self.values[-1]
        if not self.is_range:
            return self.values[int(share * len(self.values))]
        if self.is_whole:
            return low + int(share * (high - low + 1))
        if self.is_log and low > 0:
            return math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
        return low + share * (high - low)


def parse_level(
    value: Any,
    key: str,
    lowest: float,
    highest: float,
    *,
    whole: bool = False,
    log: bool = False,
) -> Level:
    """Read a strength from an option file.

    Args:
        value: Value as the file gives it.
        key: Name of the option, for error messages.
        lowest: Smallest value allowed.
        highest: Largest value allowed.
        whole: Restriction to whole numbers.
        log: The logarithm is to be drawn uniformly; a range that begins with 0 is drawn as it is.

    Raises:
        ValueError: The value has none of the three forms, exceeds the limits, or is not whole.
    """
    is_range = isinstance(value, (list, tuple))
    numbers = _numbers(value)
    if not numbers or (is_range and len(numbers) != 2):
        raise InputError(f"{key} must be {_FORMS}, received {value!r}")
    if not all(lowest <= number <= highest for number in numbers):
        raise InputError(f"{key} must lie in [{lowest:g}, {highest:g}], received {value!r}")
    if whole and any(number != int(number) for number in numbers):
        raise InputError(f"{key} must be whole, received {value!r}")
    if is_range and numbers[0] > numbers[1]:
        raise InputError(f"{key} must go from low to high, received {value!r}")
    return Level(tuple(float(number) for number in numbers), is_range, whole, log)


def _numbers(value: Any) -> list[float]:
    """The numbers in any of the three forms; none where the form is wrong."""
    if isinstance(value, Mapping):
        value = value["list"] if set(value) == {"list"} else []
    elif not isinstance(value, (list, tuple)):
        value = [value]
    if not isinstance(value, (list, tuple)) or not all(map(_is_number, value)):
        return []
    return list(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
