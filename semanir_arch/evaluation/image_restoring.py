"""How evaluation restores an image: padded, whole or in tiles, in one orientation or all eight."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar

from torch import Tensor, nn

from semanir_arch.modules.padding import crop, pad_to_multiple
from semanir_arch.utils.ensemble import self_ensemble
from semanir_arch.utils.errors import InputError
from semanir_arch.utils.memory import is_out_of_memory
from semanir_arch.utils.options import Bounds, OneOf, Option
from semanir_arch.utils.tile_policy import attempts, make_tiling
from semanir_arch.utils.tiling import Tiling, restore_tiled

__all__ = ["Restoring"]


@dataclass(frozen=True)
class Restoring:
    """One way of restoring images.

    Args:
        tile: Side of the tiles in pixels, rounded up to what the network can divide; None for whole
            images; 'auto' for the rule of `tile_policy`.
        overlap: Pixels that tiles share; None for that rule's.
        ensemble: Whether to average over the eight orientations.
        size_multiple: Images are padded to multiples of it; None for what the network declares.

    Raises:
        ValueError: Tile and overlap contradict each other.
    """

    tile: int | str | None = None
    overlap: int | None = None
    ensemble: bool = False
    size_multiple: int | None = None

    OPTIONS: ClassVar[dict[str, Option]] = {
        "ensemble": Option(
            bool,
            default=False,
            help="average over the eight orientations of an image: better, and eight times slower",
        ),
        "overlap": Option(
            Annotated[int, Bounds(0, 65536)],
            default=None,
            help="pixels that tiles share; null for 64, less for small tiles",
        ),
        "size_multiple": Option(
            Annotated[int, Bounds(1, 4096)],
            default=None,
            help="pad images to multiples of this many pixels; null for what the network declares",
        ),
        "tile": Option(
            (Annotated[int, Bounds(1, 2**20)], Annotated[str, OneOf("auto")]),
            default=None,
            help="side in pixels of the tiles in which images are restored; null for whole images, "
            "auto for tiles only where an image is too large",
        ),
    }

    def __post_init__(self) -> None:
        if isinstance(self.tile, str) and self.tile != "auto":
            raise InputError(f"val:tile: received {self.tile!r}; allowed: a number, auto, null")
        if isinstance(self.tile, int):
            make_tiling(self.tile, self.overlap)

    @classmethod
    def from_options(cls, val: Mapping[str, Any]) -> Restoring:
        """Read the options of this class.

        Args:
            val: The section `val` of an option file.
        """
        return cls(
            tile=val.get("tile"),
            overlap=val.get("overlap"),
            ensemble=bool(val.get("ensemble", False)),
            size_multiple=val.get("size_multiple"),
        )

    def __call__(self, network: nn.Module, x: Tensor, scale: int) -> tuple[Tensor, int | None]:
        """Restore a batch.

        Args:
            network: Network in evaluation mode; gradients are off.
            x: Shape (B, C, H, W).
            scale: Enlargement, where the network does not declare it.

        Returns:
            Shape (B, C', s H, s W), and the side of the tiles, or None if it was restored whole.
        """
        scale = getattr(network, "upscale", scale)
        declared: int = getattr(network, "size_multiple", 1)
        multiple = self.size_multiple or declared
        mode = getattr(network, "padding_mode", "reflect")

        def run(part: Tensor) -> Tensor:
            padded, size = pad_to_multiple(part, multiple, mode)
            return crop(network(padded), size, scale)

        height, width = x.shape[-2:]
        ways = list(attempts((height, width), self.tile, self.overlap, multiple=multiple))
        for number, tiling in enumerate(ways, start=1):
            function = run if tiling is None else partial(_tiled, run, tiling, multiple, scale)
            try:
                restored = self_ensemble(function, x) if self.ensemble else function(x)
            except (RuntimeError, MemoryError) as error:
                if number == len(ways) or not is_out_of_memory(error):
                    raise
            else:
                return restored, tiling.tile if tiling else None
        raise AssertionError("the last attempt returns or raises")


def _tiled(
    run: Callable[[Tensor], Tensor], tiling: Tiling, multiple: int, scale: int, x: Tensor
) -> Tensor:
    return restore_tiled(run, x, tiling, multiple=multiple, scale=scale)
