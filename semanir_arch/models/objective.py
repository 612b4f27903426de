"""What a training minimizes: the sum of all losses that an option file names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from semanir_arch import host
from semanir_arch.utils.errors import InputError

__all__ = ["Objective"]


class Objective:
    """Weighted losses by the names under which they are logged.

    Args:
        train: Option block `train`: BasicSR's `pixel_opt` and `perceptual_opt`, and any number of
            others below `losses`.
        device: Device of losses that are networks.

    Raises:
        ValueError: No loss, or a name that the log cannot hold.
    """

    def __init__(self, train: Mapping[str, Any], device: torch.device) -> None:
        blocks = {"l_pix": train.get("pixel_opt"), "l_percep": train.get("perceptual_opt")}
        for name, block in (train.get("losses") or {}).items():
            if not name.startswith("l_") or name in blocks:
                raise InputError(
                    f"train:losses: received the name {name!r}; allowed: names that begin with l_, "
                    "but not l_pix and l_percep, which are pixel_opt and perceptual_opt"
                )
            blocks[name] = block
        build = host.load("basicsr.losses").build_loss
        self._losses: dict[str, nn.Module] = {
            name: build(block).to(device) for name, block in blocks.items() if block
        }
        if not self._losses:
            raise InputError(
                "train: no loss; give pixel_opt, perceptual_opt, or a block below losses"
            )

    def __call__(self, output: Tensor, target: Tensor, share: float = 1.0) -> dict[str, Tensor]:
        """Compute every loss.

        Args:
            output: Restored images, (B, C, H, W), float32.
            target: Clean images of that shape.
            share: Part of the whole batch that these images are; 1 for all of it.

        Returns:
            Scalars whose sum over the parts of a batch is the loss of the batch.
        """
        values: dict[str, Tensor] = {}
        for name, loss in self._losses.items():
            weight = 1.0 if getattr(loss, "reduction", "mean") == "sum" else share
            value = loss(output, target)
            # BasicSR's perceptual loss returns two values, each of which may be None.
            both = value if isinstance(value, tuple) else (value,)
            for label, part in zip((name, f"{name}_style"), both, strict=False):
                if part is not None:
                    values[label] = weight * part
        return values
