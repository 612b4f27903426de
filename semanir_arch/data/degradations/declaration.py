"""Settings of a degradation, declared once: for option files, commands and documents.

A module declares `SETTINGS`, a mapping from names to one of the kinds below, each with its default,
its limits, one line of help and the source of the default. Data sets turn it into options
(`as_options`), `generate_lq.py` into parameters, and `docs/degradations.md` into a table (tested).

The degradation itself receives what `parse_settings` returns, and draws from it as often as it
needs to: a second blur has its own width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import numpy as np

from semanir_arch.data.degradations.levels import Level, parse_level
from semanir_arch.utils.errors import InputError
from semanir_arch.utils.options import REQUIRED, Option, hint
from semanir_arch.utils.values import Bounds, Entries, OneOf, Strength

__all__ = [
    "OURS",
    "Chance",
    "Choice",
    "Declared",
    "Draws",
    "Number",
    "Setting",
    "Settings",
    "Shares",
    "as_block",
    "as_options",
    "describe",
    "parse_settings",
    "pick",
]

OURS = "ours"
"""Source of a default that no paper gives."""

Name = TypeVar("Name", bound=str)


@dataclass(frozen=True)
class Number:
    """A strength in the forms of `levels`: a number, a range, or a list of numbers.

    Args:
        default: Value where none is given, in one of the three forms; `REQUIRED` for none.
        lowest: Smallest value allowed.
        highest: Largest value allowed.
        help: Description in one line, with the unit.
        source: Source of the default; `OURS` if no paper gives it.
        whole: Whether only whole numbers make sense.
        log: Whether the logarithm of a range is drawn uniformly.
        constant: Whether test sets give one number, as published tables do.
    """

    default: Any
    lowest: float
    highest: float
    help: str
    source: str = OURS
    whole: bool = False
    log: bool = False
    constant: bool = False

    @property
    def required(self) -> bool:
        """Whether there is no default."""
        return self.default is REQUIRED

    def parse(self, name: str, value: Any) -> Level:
        """The values that may be drawn.

        Raises:
            ValueError: The value has none of the forms, or lies outside the limits.
        """
        return parse_level(value, name, self.lowest, self.highest, whole=self.whole, log=self.log)

    def option(self) -> Option:
        """Return the declaration as an option of a data set."""
        limits = f"{self.lowest:g} to {self.highest:g}"
        text = f"{self.help} ({limits})" if self.required else _line(self, limits)
        evaluation = self.kind.number if self.constant else None
        return Option(self.kind, default=self.default, help=text, evaluation=evaluation)

    @property
    def kind(self) -> Any:
        """Type of its values, for `Option`."""
        return Strength(self.lowest, self.highest, whole=self.whole)


@dataclass(frozen=True)
class Chance:
    """A probability.

    Args:
        default: Probability between 0 and 1.
        help: Description in one line: what is drawn with this probability.
        source: Source of the default, as for `Number`.
    """

    default: float
    help: str
    source: str = OURS

    def parse(self, name: str, value: Any) -> float:
        """The probability.

        Raises:
            ValueError: It is no number from 0 to 1.
        """
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise InputError(f"{name} must be a number from 0 to 1, received {value!r}")
        return float(value)

    def option(self) -> Option:
        """Return the declaration as an option of a data set."""
        return Option(self.kind, default=self.default, help=_line(self, "0 to 1"))

    @property
    def kind(self) -> Any:
        """Type of its values, for `Option`."""
        return Annotated[float, Bounds(0, 1)]


@dataclass(frozen=True)
class Shares:
    """Frequency of each of several kinds.

    Args:
        default: Share of every kind that there is, 0 for those that only users ask for.
        help: Description in one line: what the kinds are.
        source: Source of the default, as for `Number`.
    """

    default: Mapping[str, float]
    help: str
    source: str = OURS

    def parse(self, name: str, value: Any) -> dict[str, float]:
        """Probabilities that sum to 1; kinds that are not named have none.

        Raises:
            ValueError: A kind is unknown, a share is negative or no number, or all are 0.
        """
        if not isinstance(value, Mapping):
            raise InputError(
                f"{name} must be shares such as {_example(self.default)}, received {value!r}"
            )
        for kind, share in value.items():
            if kind not in self.default:
                raise InputError(f"{name}: {kind!r} is unknown; {hint(str(kind), self.default)}")
            number = isinstance(share, (int, float)) and not isinstance(share, bool)
            if not number or not 0 <= share < float("inf"):
                raise InputError(
                    f"{name}: the share of {kind} must be 0 or more, received {share!r}"
                )
        total = sum(value.values())
        if total <= 0:
            raise InputError(f"{name}: one share must be above 0, received {dict(value)!r}")
        return {kind: value.get(kind, 0) / total for kind in self.default}

    def option(self) -> Option:
        """Return the declaration as an option of a data set."""
        kinds = ", ".join(self.default)
        return Option(self.kind, default=dict(self.default), help=_line(self, kinds))

    @property
    def kind(self) -> Any:
        """Type of its values, for `Option`."""
        share = Annotated[float, Bounds(0)]
        return Annotated[dict[str, Any], Entries(dict.fromkeys(self.default, share), required=())]


@dataclass(frozen=True)
class Choice:
    """One word of several.

    Args:
        default: The word where none is given.
        allowed: Values that may be chosen.
        help: Description in one line.
        source: Source of the default, as for `Number`.
    """

    default: str
    allowed: Sequence[str]
    help: str
    source: str = OURS

    def parse(self, name: str, value: Any) -> str:
        """The word.

        Raises:
            ValueError: It is none of those allowed.
        """
        if value not in self.allowed:
            allowed = ", ".join(self.allowed)
            raise InputError(f"{name} must be one of {allowed}, received {value!r}")
        return str(value)

    def option(self) -> Option:
        """Return the declaration as an option of a data set."""
        return Option(
            str,
            default=self.default,
            choices=tuple(self.allowed),
            help=_line(self, ", ".join(self.allowed)),
        )

    @property
    def kind(self) -> Any:
        """Type of its values, for `Option`."""
        return Annotated[str, OneOf(tuple(self.allowed))]


Setting = Number | Chance | Shares | Choice
Declared = Mapping[str, Setting]
"""Settings by name, as a degradation declares them."""

Settings = Mapping[str, Any]
"""Result of `parse_settings`."""


def parse_settings(declared: Declared, given: Mapping[str, Any]) -> dict[str, Any]:
    """Check the values given, and fill in the defaults.

    Args:
        declared: Settings that the degradation declares.
        given: Values by name; names that are not declared must have been refused before.

    Returns:
        Settings by name: a `Level`, a probability, probabilities by kind, or a word.

    Raises:
        ValueError: A value is not allowed; the message names the setting.
    """
    return {
        name: setting.parse(name, given.get(name, setting.default))
        for name, setting in declared.items()
    }


def as_block(declared: Declared, default: Mapping[str, Any], help_text: str) -> Option:
    """The settings as one option, a block of those that differ from their defaults.

    Args:
        declared: Settings that the degradation declares.
        default: The block where none is given.
        help_text: Description in one line.
    """
    kinds = {name: setting.kind for name, setting in declared.items()}
    kind = Annotated[dict[str, Any], Entries(kinds, required=())]
    return Option(kind, default=dict(default), help=help_text)


def as_options(declared: Declared) -> dict[str, Option]:
    """The settings as the options of a data set."""
    return {name: setting.option() for name, setting in declared.items()}


def pick(shares: Mapping[Name, float], rng: np.random.Generator) -> Name:
    """Draw one kind.

    Args:
        shares: Probabilities by kind, which sum to 1.
        rng: Source of randomness; one number is drawn.
    """
    point, kinds = rng.random(), [kind for kind, share in shares.items() if share > 0]
    for kind in kinds:
        point -= shares[kind]
        if point < 0:
            return kind
    return kinds[-1]


@dataclass(frozen=True)
class Draws:
    """Draws from settings, one random number each, used or not.

    Args:
        settings: Result of `parse_settings`.
        rng: Source of randomness.
    """

    settings: Settings
    rng: np.random.Generator

    def value(self, name: str) -> float:
        """One value of a `Number`."""
        return float(self.settings[name].at(self.rng.random()))

    def happens(self, name: str) -> bool:
        """Whether a `Chance` comes true."""
        return bool(self.rng.random() < self.settings[name])

    def maybe(self, name: str) -> float:
        """One value of a `Number` with the chance of that name and `_prob`, else 0."""
        drawn, is_used = self.value(name), self.happens(f"{name}_prob")
        return drawn if is_used else 0.0


def _line(setting: Setting, allowed: str) -> str:
    return f"{setting.help} ({allowed}; default: {setting.source})"


def _example(shares: Mapping[str, float]) -> str:
    inside = ", ".join(f"{kind}: {share:g}" for kind, share in shares.items())
    return f"{{{inside}}}"


def describe(declared: Declared) -> str:
    """The settings as a table in Markdown, as `docs/degradations.md` has it."""
    rows = [
        f"| `{name}` | {setting.help} | {_shown(setting.default)} | {setting.source} |\n"
        for name, setting in declared.items()
    ]
    return "".join(["| setting | what | default | from |\n| --- | --- | --- | --- |\n", *rows])


def _shown(value: Any) -> str:
    """A default as an option file would give it."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_shown(entry)}' for key, entry in value.items())}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_shown, value))}]"
    return f"{value:.4g}" if isinstance(value, (int, float)) else str(value)
