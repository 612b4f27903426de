"""Losses of our own: none yet.

Option files use BasicSR's (`L1Loss`, `MSELoss`, `CharbonnierLoss`, `PerceptualLoss`).
"""

from __future__ import annotations

__all__ = ["LOSSES"]

LOSSES: dict[str, type] = {}
"""Losses that `semanir_arch.plugin` registers."""
