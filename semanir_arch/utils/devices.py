"""The device that computes: the machine's accelerator as torch names it, or the CPU.

An accelerator is a CUDA or ROCm GPU ("cuda" for both), Intel's ("xpu"), or Apple's ("mps"). Only
CUDA has been run; the others are tested with stand-ins for what torch reports.
"""

from __future__ import annotations

from typing import Any

import torch

__all__ = [
    "accelerator",
    "count",
    "device_of_run",
    "empty_cache",
    "is_in_use",
    "name_of",
    "seed",
    "synchronize",
]


def accelerator() -> str | None:
    """Type of this machine's accelerator; None where there is none that works."""
    if not torch.accelerator.is_available():
        return None
    found = torch.accelerator.current_accelerator()
    return None if found is None else found.type


def count() -> int:
    """Accelerators that one run can use: all GPUs of CUDA or ROCm, one of any other kind."""
    kind = accelerator()
    if kind is None:
        return 0
    found = torch.accelerator.device_count()
    return found if kind == "cuda" else min(found, 1)


def device_of_run(num_gpu: int | str | None) -> str:
    """Type of the device on which a run computes.

    Args:
        num_gpu: The option; 0 for the CPU.
    """
    return "cpu" if num_gpu == 0 else accelerator() or "cpu"


def name_of(device: str, index: int | None = None) -> str:
    """Maker's name of an accelerator, or its type if PyTorch does not know.

    Args:
        device: Device type, for example "cuda".
        index: Index of the device; None for the current one.
    """
    ask = getattr(torch.get_device_module(device), "get_device_name", None)
    return device if ask is None else str(ask(index))


def is_in_use() -> bool:
    """Whether this process has computed something on the accelerator."""
    found = torch.accelerator.current_accelerator()
    if found is None:
        return False
    module = torch.get_device_module(found)
    # Apple's has no such state. To ask whether a GPU of CUDA is available would initialize it.
    ask = getattr(module, "is_initialized", module.is_available)
    return bool(ask())


def synchronize() -> None:
    """Wait for what the accelerator has been told to compute."""
    if is_in_use():
        torch.accelerator.synchronize()


def empty_cache(device: torch.device) -> None:
    """Give back the memory that torch keeps of a device."""
    _call(device.type, "empty_cache")


def seed(value: int) -> None:
    """Set the random states of all accelerators that are in use.

    Args:
        value: Seed, 0 to 2**64 - 1.
    """
    # torch.manual_seed would do the same, but where no GPU is in use it takes a quarter of a
    # millisecond to note from where it was called.
    kind = accelerator() if is_in_use() else None
    if kind is not None and not _call(kind, "manual_seed_all", value):
        _call(kind, "manual_seed", value)


def _call(kind: str, function: str, *arguments: Any) -> bool:
    """Call a function of a device's module; whether there is one."""
    found = getattr(torch.get_device_module(kind), function, None) if kind != "cpu" else None
    if found is not None:
        found(*arguments)
    return found is not None
