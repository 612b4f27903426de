"""What every network promises: images of any size in, `upscale` times that size out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from semanir_arch.modules.padding import crop, pad_to_multiple
from semanir_arch.modules.stage import KeySemanticStage
from semanir_arch.utils.errors import InputError

from .argument_types import SHIFTS

__all__ = [
    "KeySemanticNetwork",
    "RestorationNetwork",
    "check_counts",
    "check_stages",
    "init_linear",
]


class RestorationNetwork(nn.Module, ABC):
    """A network that restores images of any size.

    Attributes:
        in_chans: Channels in.
        out_chans: Channels out.
        upscale: Enlargement of height and width.
        size_multiple: `restore` gets heights and widths that are multiples of it; `forward` pads
            and crops.
        padding_mode: Padding mode; see `semanir_arch.modules.padding`.
    """

    padding_mode = "reflect"

    def __init__(self, in_chans: int, out_chans: int, upscale: int, size_multiple: int) -> None:
        super().__init__()
        self.in_chans = in_chans
        self.out_chans = out_chans
        self.upscale = upscale
        self.size_multiple = size_multiple

    def forward(self, x: Tensor) -> Tensor:
        """Restore images.

        Args:
            x: Shape (B, in_chans, H, W), floating point; RGB or gray images in [0, 1] (noise may
                leave it).

        Returns:
            Shape (B, out_chans, upscale * H, upscale * W), same range, not clamped.

        Raises:
            ValueError: If `x` has another number of dimensions or channels.
        """
        if x.dim() != 4 or x.shape[1] != self.in_chans:
            raise InputError(
                f"{type(self).__name__} takes images of shape (B, {self.in_chans}, H, W), "
                f"got {tuple(x.shape)}"
            )
        padded, size = pad_to_multiple(x, self.size_multiple, self.padding_mode)
        if x.device.type == "cpu" and not torch.compiler.is_compiling():
            # convolutions are twice as fast, and pixels are rows for norms and linear maps
            padded = padded.contiguous(memory_format=torch.channels_last)
        return crop(self.restore(padded), size, self.upscale)

    @abstractmethod
    def restore(self, x: Tensor) -> Tensor:
        """Restore images whose height and width are multiples of `size_multiple`; see `forward`."""


class KeySemanticNetwork(RestorationNetwork):
    """A network of `KeySemanticStage`s, whose k and backend may be changed at any time."""

    @property
    def k(self) -> int:
        """Keys that each token keeps, in all stages; a window with fewer tokens keeps all."""
        return self._stages()[0].k

    @k.setter
    def k(self, value: int) -> None:
        if value < 1:
            raise InputError(f"k={value} must be at least 1")
        for stage in self._stages():
            stage.k = value

    @property
    def backend(self) -> str:
        """Implementation of the attention; see `semanir_arch.ops.key_semantic_attention`."""
        return self._stages()[0].backend

    @backend.setter
    def backend(self, value: str) -> None:
        for stage in self._stages():
            stage.backend = value

    def _stages(self) -> list[KeySemanticStage]:
        return [module for module in self.modules() if isinstance(module, KeySemanticStage)]


def check_stages(
    *, shift: str, depths: Sequence[int], blocks: Sequence[int], **per_stage: Sequence[int]
) -> None:
    """Refuse an unknown shift, and lists of unequal length or with numbers out of range.

    A depth may be 0 where there are blocks, and no network is without layers.

    Raises:
        ValueError: Naming the argument, its value and what is allowed.
    """
    if shift not in SHIFTS:
        raise InputError(f"shift={shift!r} is unknown; allowed: {', '.join(map(repr, SHIFTS))}")
    if any(value < 0 for value in blocks):
        raise InputError(f"blocks={list(blocks)} must not be negative")
    if not any(depths) or any(
        depth < (0 if n else 1) for depth, n in zip(depths, blocks, strict=False)
    ):
        raise InputError(
            f"depths={list(depths)} must list one positive number per stage; 0 is allowed where "
            f"blocks={list(blocks)} has one, but not in all stages"
        )
    per_stage |= {"depths": depths, "blocks": blocks}
    for name, values in per_stage.items():
        least = 0 if name in ("depths", "blocks") else 1
        if len(values) == 0 or any(value < least for value in values):
            raise InputError(f"{name}={list(values)} must list one positive number per stage")
    if len({len(values) for values in per_stage.values()}) > 1:
        lengths = ", ".join(f"{name} has {len(values)}" for name, values in per_stage.items())
        raise InputError(f"one entry per stage is needed in each list: {lengths}")


def check_counts(length: int, **lists: Sequence[int]) -> None:
    """Refuse lists of another length, or with numbers below 1.

    Raises:
        ValueError: Naming the argument, its value and what is allowed.
    """
    for name, values in lists.items():
        if len(values) != length or any(value < 1 for value in values):
            raise InputError(f"{name}={list(values)} must list {length} positive numbers")


def init_linear(module: nn.Module) -> None:
    """Initialise as SwinIR does: linear maps from a normal of deviation 0.02, biases 0."""
    # A network without memory, built to count or to compare, has nothing to initialise; torch would
    # take seconds to find out.
    if isinstance(module, nn.Linear) and not module.weight.is_meta:
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
