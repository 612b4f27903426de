"""Self-ensemble: a picture restored in all eight orientations, and the results averaged.

Source: Timofte, Rothe, Van Gool, "Seven ways to improve example-based single image super
    resolution" (CVPR 2016), section 3.5; Lim et al., EDSR (CVPR workshops 2017), section 3.4.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["ORIENTATIONS", "self_ensemble"]

ORIENTATIONS = 8
"""Quarter turns, with and without a mirror: how often `self_ensemble` runs the network."""


def self_ensemble(run: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Average what `run` makes of the eight orientations of `x`, turned back.

    Only one orientation is in work at a time, so memory is that of one call and of two results.

    Args:
        run: Function from (B, C, h, w) to (B, C', s h, s w), for both h, w = H, W and h, w = W, H.
        x: Shape (B, C, H, W).

    Returns:
        Shape (B, C', s H, s W). Of the type that `run` returns, but at least float32: the sum of
        eight 16-bit numbers would lose what the averaging gains.
    """
    total: Tensor | None = None
    for mirrored in (False, True):
        given = x.flip(-1) if mirrored else x
        for turns in range(ORIENTATIONS // 2):
            # contiguous: not every network takes an image that is a view
            restored = run(torch.rot90(given, turns, (-2, -1)).contiguous())
            restored = restored.to(torch.promote_types(restored.dtype, torch.float32))
            restored = torch.rot90(restored, -turns, (-2, -1))
            restored = restored.flip(-1) if mirrored else restored
            total = restored.clone() if total is None else total.add_(restored)
    assert total is not None, "there are eight orientations"
    return total / ORIENTATIONS
