"""Number formats of a training step: float32, or half precision where it is safe."""

from __future__ import annotations

import torch

from semanir_arch.utils.errors import InputError

__all__ = ["PRECISIONS", "autocast", "check_precision", "loss_scaler"]

_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

PRECISIONS = tuple(_TYPES)
"""Allowed values of the option `precision`."""


def check_precision(precision: str, device: str) -> None:
    """Refuse what a device cannot compute.

    Args:
        precision: Precision, one of `PRECISIONS`.
        device: Device type, for example "cpu" or "cuda".

    Raises:
        ValueError: Unknown, or not possible there; says what is.
    """
    if precision not in _TYPES:
        allowed = ", ".join(PRECISIONS)
        raise InputError(f"precision: received {precision!r}; allowed: {allowed}")
    if precision == "fp16" and device == "cpu":
        raise InputError("precision: received 'fp16', which needs a GPU; allowed here: fp32, bf16")
    if precision == "bf16" and device == "cuda" and not torch.cuda.is_bf16_supported():
        name = torch.cuda.get_device_name()
        raise InputError(
            f"precision: received 'bf16', which {name} does not compute; allowed here: fp32, fp16"
        )


def autocast(precision: str, device: str) -> torch.autocast:
    """A context in which convolutions and matrix products run in this precision."""
    return torch.autocast(device, dtype=_TYPES[precision], enabled=precision != "fp32")


def loss_scaler(precision: str, device: str) -> torch.amp.GradScaler:
    """Scaler that keeps small gradients of fp16 above zero; passes everything through otherwise."""
    return torch.amp.GradScaler(device, enabled=precision == "fp16")
