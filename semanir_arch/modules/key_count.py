"""How many keys per token a network keeps: drawn while training, set for evaluation."""

from __future__ import annotations

import random
from collections.abc import Sequence

from torch import nn

from semanir_arch.utils.errors import InputError

__all__ = ["draw_k", "set_k"]


def draw_k(kept: int | Sequence[int], seed: int, iteration: int) -> int:
    """Number of keys per token in one iteration.

    It depends on seed and iteration alone, so all processes draw the same, also after a resume.

    Args:
        kept: A number, or the numbers to draw from with equal chance.
        seed: The run's `manual_seed`.
        iteration: Iteration, counted from 1.
    """
    return kept if isinstance(kept, int) else random.Random(f"{seed} {iteration}").choice(kept)


def set_k(network: nn.Module, k: int, option: str) -> None:
    """Let every stage of a network keep `k` keys per token.

    Args:
        network: Network, changed in place.
        k: Keys per token.
        option: Origin of the number, for the message.

    Raises:
        ValueError: The network has no keys to choose.
    """
    if not hasattr(network, "k"):
        raise InputError(f"{option}: received {k}, but {type(network).__name__} has no k")
    network.k = k  # type: ignore[assignment]
