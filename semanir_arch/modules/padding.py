"""The one place where images are padded to a size that a network can divide into windows."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["PADDING_MODES", "crop", "pad_to_multiple"]

PADDING_MODES = ("reflect", "symmetric", "replicate")


def pad_to_multiple(
    x: Tensor, multiple: int, mode: str = "reflect"
) -> tuple[Tensor, tuple[int, int]]:
    """Pad on the right and at the bottom.

    Args:
        x: Images, shape (B, C, H, W), H and W at least 1.
        multiple: Height and width of the result are multiples of it.
        mode: "reflect" mirrors the image without repeating its edge, as often as the padding needs;
            a side of one pixel, which has nothing to mirror, is repeated. "symmetric" mirrors
            together with the edge. "replicate" repeats the edge.

    Returns:
        The padded images and the (H, W) that `crop` takes to undo the padding.

    Raises:
        ValueError: If `mode` is unknown or an image is empty.
    """
    if mode not in PADDING_MODES:
        raise ValueError(
            f"padding mode {mode!r} is unknown; allowed: {', '.join(map(repr, PADDING_MODES))}"
        )
    height, width = x.shape[-2:]
    if height < 1 or width < 1:
        raise ValueError(f"images must have at least one pixel, got shape {tuple(x.shape)}")
    down, right = -height % multiple, -width % multiple
    x = _pad_side(x, right, mode, vertical=False)
    return _pad_side(x, down, mode, vertical=True), (height, width)


def crop(x: Tensor, size: tuple[int, int], scale: int = 1) -> Tensor:
    """Undo `pad_to_multiple` on the output of a network that enlarges by `scale`.

    Args:
        x: Shape (B, C, scale * padded H, scale * padded W).
        size: (H, W) before padding.
        scale: Enlargement of the network.

    Returns:
        Shape (B, C, scale * H, scale * W).
    """
    return x[..., : size[0] * scale, : size[1] * scale]


def _pad_side(x: Tensor, amount: int, mode: str, *, vertical: bool) -> Tensor:
    dim = -2 if vertical else -1
    while amount > 0:
        length = x.shape[dim]
        # Mirroring can add at most what there is to mirror: small images take several steps.
        if mode == "symmetric":
            step = min(amount, length)
            x = torch.cat((x, x.narrow(dim, length - step, step).flip(dim)), dim)
        else:
            mirrors = mode == "reflect" and length > 1
            step = min(amount, length - 1) if mirrors else amount
            sides = (0, 0, 0, step) if vertical else (0, step, 0, 0)
            x = F.pad(x, sides, mode="reflect" if mirrors else "replicate")
        amount -= step
    return x
