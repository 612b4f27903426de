"""Networks that do next to nothing, for tests of what happens around a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from semanir_arch.archs import NETWORKS
from semanir_arch.archs.base import RestorationNetwork
from semanir_arch.utils.checkpoint import save_checkpoint


class Plain(RestorationNetwork):
    """Repeats pixels, and changes nothing else.

    Args:
        in_chans: Channels in.
        upscale: Enlargement.
        gain: Factor of all values.
        appetite: Bytes of memory that are used for every pixel.
    """

    def __init__(
        self, in_chans: int = 3, upscale: int = 1, gain: float = 1.0, appetite: int = 0
    ) -> None:
        super().__init__(in_chans, in_chans, upscale, size_multiple=8)
        self.gain = nn.Parameter(torch.tensor(float(gain)))
        self.appetite = appetite

    def restore(self, x: torch.Tensor) -> torch.Tensor:
        """Repeat each pixel `upscale` times in both directions."""
        torch.ones(x.shape[-2] * x.shape[-1] * self.appetite, dtype=torch.uint8)
        for axis in (-2, -1):
            x = x.repeat_interleave(self.upscale, dim=axis)
        return x * self.gain


def register() -> None:
    """Make the network known; for processes of their own."""
    NETWORKS["Plain"] = Plain


def save_plain(path: Path, **options: Any) -> Path:
    """Write a weights file of `Plain`."""
    options = {"type": "Plain", **options}
    gain = torch.tensor(float(options.get("gain", 1.0)))
    metadata = {"task": options.pop("task")} if "task" in options else {}
    save_checkpoint(path, {"params": {"gain": gain}, "network_g": options, "metadata": metadata})
    return path
