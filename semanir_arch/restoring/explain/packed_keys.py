"""The numbers of many pixels in few bytes, for the page.

Legend: P pixels, T tokens, N tokens per window. For each stage, one after the other:

| what | type | shape |
| --- | --- | --- |
| row of each pixel | uint32 | P |
| (y, x) of the token's window | uint16 | T, 2 |
| lowest and highest similarity | float32 | T, 2 |
| largest attention weight | float32 | T |
| similarities: 0 where no key can be, else 1 to 127, plus 128 where a key is kept | uint8 | T, N |
| attention weights: 0 to 255 | uint8 | T, N |

Numbers are little-endian; all together are compressed with zlib and written in base64.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from semanir_arch.restoring.explain.heat import scale
from semanir_arch.restoring.explain.semantics import StageSemantics

__all__ = ["BYTES_PER_KEY", "describe", "pack"]

BYTES_PER_KEY = 2
"""Bytes that a token of a window costs for each pixel and stage, before compression."""


def pack(stages: Sequence[StageSemantics]) -> str:
    """The numbers of all stages as base64."""
    data = b"".join(part for stage in stages for part in _parts(stage))
    return base64.b64encode(zlib.compress(data, 6)).decode("ascii")


def describe(stages: Sequence[StageSemantics]) -> list[dict[str, Any]]:
    """Facts of each stage that a reader of `pack` must know."""
    return [
        {
            "name": stage.name,
            "scale": stage.scale,
            "size": stage.size,
            "window": stage.window_size,
            "k": stage.k,
            "tokens": len(stage.tokens),
        }
        for stage in stages
    ]


def _parts(stage: StageSemantics) -> list[bytes]:
    eligible, kept = stage.eligible.numpy(), stage.kept.numpy()
    similarity, attention = stage.similarity.numpy(), stage.attention.numpy()
    low = np.where(eligible, similarity, np.inf).min(axis=1, keepdims=True)
    high = np.where(eligible, similarity, -np.inf).max(axis=1, keepdims=True)
    peak = attention.max(axis=1, keepdims=True)
    # 126 steps: 0 and the highest bit have a meaning of their own
    steps = scale(similarity, low, high) // np.uint8(2)
    compared = np.where(eligible, np.clip(steps, 1, 127), 0) + 128 * kept
    return [
        stage.rows.numpy().astype("<u4").tobytes(),
        stage.origins.numpy().astype("<u2").tobytes(),
        np.hstack([low, high]).astype("<f4").tobytes(),
        peak.astype("<f4").tobytes(),
        compared.astype(np.uint8).tobytes(),
        scale(attention, 0, peak).tobytes(),
    ]
