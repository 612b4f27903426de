"""Autocast, asked about, anticipated and switched off, also on devices that have none."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import overload

import torch
from torch import Tensor

__all__ = ["autocast_dtype", "cast_once", "without_autocast"]


def without_autocast(device: str) -> AbstractContextManager[object]:
    """Make operations keep the dtype of their inputs.

    Args:
        device: Device type, e.g. "cpu"; "meta", on which networks are counted, has no autocast.
    """
    return nullcontext() if device == "meta" else torch.autocast(device, enabled=False)


def autocast_dtype(device: str) -> torch.dtype | None:
    """The dtype that autocast casts to on a type of device; None where it is off."""
    if device != "meta" and torch.is_autocast_enabled(device):
        return torch.get_autocast_dtype(device)
    return None


@overload
def cast_once(weight: Tensor) -> Tensor: ...
@overload
def cast_once(weight: Tensor | None) -> Tensor | None: ...
def cast_once(weight: Tensor | None) -> Tensor | None:
    """Cast a weight, or None, as autocast would at each of many uses; differentiable.

    Autocast itself remembers only parameters, and these only while gradients are recorded.
    """
    if weight is None:
        return None
    dtype = autocast_dtype(weight.device.type)
    return weight if dtype is None else weight.to(dtype)
