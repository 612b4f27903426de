"""What the scores of an evaluation are called: those of its protocol, and those beside it.

A protocol's scores keep their names. An entry of `val.metrics` keeps its own unless a protocol's
score, or an entry before it, has the same one in any case: tables write names in capitals. Then
`_metrics` is added, so that no figure stands under the heading of another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from semanir_arch.metrics.protocols import PROTOCOLS

__all__ = ["ExtraMetric", "is_lower_better", "name_metrics", "protocol_scores"]

_ADDED = "_metrics"

_ERRORS = frozenset({"semanir_lpips", "semanir_niqe", "semanir_mae", "calculate_niqe"})
"""Metrics whose lower values are better, also where an option file does not say so."""

_STANDARD_LPIPS = {"type": "semanir_lpips", "net": "alex", "crop_border": 0}


@dataclass(frozen=True)
class ExtraMetric:
    """A score beside those of the protocol.

    Args:
        label: Name in results: unique, also without regard to case.
        name: Key in `val.metrics`.
        block: Entry in `val.metrics`: `type`, arguments, perhaps `better`.
    """

    label: str
    name: str
    block: Mapping[str, Any] = field(default_factory=dict)

    @property
    def better(self) -> str:
        """`higher` or `lower`."""
        default = "lower" if self.block.get("type") in _ERRORS else "higher"
        return str(self.block.get("better", default))

    @property
    def description(self) -> str:
        """Type and arguments in words, such as `calculate_psnr, crop_border 4`."""
        words = [str(self.block.get("type"))]
        words += [f"{k} {v}" for k, v in self.block.items() if k not in ("type", "better")]
        return ", ".join(words)

    @property
    def published_as(self) -> str | None:
        """Name of the score in tables of papers; None if they measure it in another way."""
        given = {key: value for key, value in self.block.items() if key != "better"}
        return "lpips" if {**_STANDARD_LPIPS, **given} == _STANDARD_LPIPS and given else None


def protocol_scores(protocol: str | None) -> tuple[str, ...]:
    """Names of a protocol's scores; none without a protocol."""
    return PROTOCOLS[protocol].scores if protocol in PROTOCOLS else ()


def name_metrics(
    metrics: Mapping[str, Mapping[str, Any]] | None, protocol: str | None
) -> dict[str, ExtraMetric]:
    """The entries of `val.metrics` by their names in results.

    Args:
        metrics: The block; None for none.
        protocol: Name of the protocol beside it, or None.
    """
    taken = set(protocol_scores(protocol))
    named = {}
    for name, block in (metrics or {}).items():
        label = str(name)
        while label.lower() in taken:
            label += _ADDED
        taken.add(label.lower())
        named[label] = ExtraMetric(label, str(name), dict(block))
    return named


def is_lower_better(name: str, extras: Mapping[str, ExtraMetric]) -> bool:
    """Whether lower values of a score are better.

    Args:
        name: Name in results.
        extras: Result of `name_metrics`.
    """
    return extras[name].better == "lower" if name in extras else name == "mae"
