"""Types and ranges of arguments that several losses share."""

from __future__ import annotations

from typing import Annotated

from semanir_arch.utils.values import Bounds

__all__ = ["Eps", "LossWeight"]

LossWeight = Annotated[float, Bounds(above=0, most=1e6)]
"""Factor of a loss; one that is not wanted is null in the option file."""

Eps = Annotated[float, Bounds(0, 1)]
"""Constant that keeps a root or a logarithm finite."""
