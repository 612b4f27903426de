"""How exactly to compute: float32, or bfloat16 where that is faster and as good.

bfloat16 keeps 8 of float32's 24 significant bits. Processors with instructions for it multiply
about twice as fast; others imitate it, more slowly than float32. What it costs a network is
measured when that is shipped (`shipping.choosing`), on held-out images in 8 bits, and stands
in its record.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import torch

from semanir_arch.utils.checkpoint import Checkpoint
from semanir_arch.utils.errors import InputError
from semanir_arch.utils.processor import has_instructions
from semanir_arch.weights.catalogue import BFLOAT16_COST

__all__ = ["LARGEST_COST", "PRECISIONS", "bfloat16_is_fast", "choose_precision"]

PRECISIONS = ("auto", "fp32", "bf16")
"""Precisions that may be requested."""

LARGEST_COST = 0.02
"""Decibels that "auto" lets bfloat16 cost on any of the held-out sets."""

# of x86 with AVX-512 or AMX, and of ARM
_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "avx10_2", "bf16", "arm_bf16", "sve_bf16")
_AMPERE = (8, 0)


def choose_precision(wanted: str, device: torch.device, checkpoint: Checkpoint) -> str:
    """The precision to compute in.

    Args:
        wanted: Requested precision, one of `PRECISIONS`. "auto" takes bfloat16 if the device
            multiplies it fast and the record of the weights says that it costs at most
            `LARGEST_COST`.
        device: Device that computes.
        checkpoint: The weights.

    Returns:
        "fp32" or "bf16".

    Raises:
        ValueError: `wanted` is not allowed.
    """
    if wanted not in PRECISIONS:
        raise InputError(f"precision={wanted!r}; allowed: {', '.join(PRECISIONS)}")
    if wanted != "auto":
        return wanted
    cost = _measured_cost(checkpoint)
    is_good = cost is not None and cost <= LARGEST_COST
    return "bf16" if is_good and bfloat16_is_fast(device) else "fp32"


def bfloat16_is_fast(device: torch.device) -> bool:
    """Whether a device has instructions that multiply bfloat16.

    Instructions are asked for, not the clock: the same computer then always gives the same result.
    """
    if device.type == "cuda":
        return torch.version.hip is not None or torch.cuda.get_device_capability(device) >= _AMPERE
    if device.type != "cpu":
        return False
    return has_instructions(*_INSTRUCTIONS)


def _measured_cost(checkpoint: Checkpoint) -> float | None:
    """The largest cost in the record of the weights, in the file or beside it; None without one."""
    records: list[Any] = [checkpoint.metadata]
    if checkpoint.source.suffix == ".safetensors":
        # a record that is not there or cannot be read says nothing
        with suppress(OSError, ValueError):
            beside = checkpoint.source.with_suffix(".json")
            records.append(json.loads(beside.read_text(encoding="utf-8")))
    for record in records:
        costs = record.get(BFLOAT16_COST) if isinstance(record, Mapping) else None
        if isinstance(costs, Mapping) and costs and all(map(_is_number, costs.values())):
            return float(max(costs.values()))
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
