"""The optimizers that option files may name."""

from __future__ import annotations

import torch

from semanir_arch.models.muon import MuonAdam

__all__ = ["optimizers"]


def optimizers() -> dict[str, type[torch.optim.Optimizer]]:
    """`MuonAdam`, and the optimizers of `torch.optim`, by name."""
    return {
        MuonAdam.__name__: MuonAdam,
        **{
            name: value
            for name, value in vars(torch.optim).items()
            if isinstance(value, type)
            and issubclass(value, torch.optim.Optimizer)
            and value is not torch.optim.Optimizer
        },
    }
