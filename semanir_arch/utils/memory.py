"""How much memory this process has used at most, and whether an error says that it was too much."""

from __future__ import annotations

import importlib
import sys

import torch

from semanir_arch.utils import devices

__all__ = ["describe_peak", "is_out_of_memory", "peak_memory"]


def peak_memory() -> int | None:
    """Bytes of GPU memory that torch has held at most, or of main memory where there is no GPU.

    Returns:
        Bytes; None if the system does not tell (Windows).
    """
    if devices.is_in_use():
        module = torch.get_device_module(devices.accelerator())
        # Apple's has none: it shares the main memory
        if hasattr(module, "max_memory_reserved"):
            return int(module.max_memory_reserved())
    if sys.platform == "win32":
        return None
    resource = importlib.import_module("resource")
    # macOS counts bytes, Linux KiB.
    unit = 1 if sys.platform == "darwin" else 1024
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def is_out_of_memory(error: Exception) -> bool:
    """Whether torch or Python could not get memory.

    Args:
        error: Error that was raised; not every kind of device has an exception of its own.
    """
    return isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)) or any(
        phrase in str(error).lower() for phrase in ("out of memory", "can't allocate memory")
    )


def describe_peak() -> str:
    """The same for people, such as `1.3 GiB`."""
    peak = peak_memory()
    return "unknown" if peak is None else f"{peak / 2**30:.1f} GiB"
