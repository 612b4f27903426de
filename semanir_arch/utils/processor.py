"""Instructions of this computer's processor, as torch sees them."""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["describe_instructions", "has_instructions"]


def has_instructions(*names: str) -> bool:
    """Whether the processor has any of some sets of instructions.

    Args:
        names: Names as `torch.cpu.get_capabilities` has them, such as "avx512_bf16".
    """
    # public since torch 2.10 or so
    asked: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    if asked:
        return any(asked.get(name) for name in names)
    older = {"avx512_bf16": "_is_avx512_bf16_supported", "amx_bf16": "_is_amx_tile_supported"}
    return any(getattr(torch.cpu, older[name], bool)() for name in names if name in older)


def describe_instructions() -> str:
    """What torch computes with: "AVX512", or "AVX512 with AMX"."""
    vectors: str = torch.backends.cpu.get_cpu_capability()
    return f"{vectors} with AMX" if has_instructions("amx_bf16") else vectors
