"""What tells noise from fine texture, and one kind of noise from another.

The numbers are in limits.json, which `benchmarks/calibrate_choice.py` makes from photographs of the
training sets; no test set was looked at.
"""

from __future__ import annotations

import functools
import json
import math
from pathlib import Path
from typing import Any

from semanir_arch.restoring.diagnosis.noise_level import Noise

__all__ = ["NEARLY_LOSSLESS", "features", "is_like", "limit"]

NEARLY_LOSSLESS = 96
"""Quality from which a JPEG file leaves nothing that changes how noise looks."""

_LEAST = 0.05
"""Levels that are added before a logarithm is taken: rounding leaves so much."""


def features(noise: Noise) -> list[float]:
    """What the regressions see: logarithms of all bands, brightness first."""
    return [math.log(band + _LEAST) for band in (*noise.luma_bands, *noise.chroma_bands)]


def is_like(kind: str, noise: Noise) -> bool:
    """Whether noise is of a kind.

    Args:
        kind: "color" for any noise in a color picture, "color_file" for noise in one that was a
            JPEG file, "gray" for noise of the brightness that neighboring pixels do not share,
            "white" for such noise in color.
        noise: Noise as measured; that of a color picture if the kind asks for it.
    """
    entry = limit(kind)
    weights = entry["weights"]
    seen = features(noise)[: len(weights)]
    return bool(sum(w * x for w, x in zip(weights, seen, strict=True)) + entry["bias"] > 0)


def limit(name: str) -> Any:
    """An entry of limits.json."""
    return _limits()[name]


@functools.cache
def _limits() -> dict[str, Any]:
    text = Path(__file__).with_name("limits.json").read_text(encoding="utf-8")
    entries: dict[str, Any] = json.loads(text)
    return entries
