"""The one place where images are padded to a size that a network can divide into windows."""

from __future__ import annotations

import torch
from torch import Tensor

from semanir_arch.utils.errors import InputError

__all__ = ["PADDING_MODES", "crop", "pad_around", "pad_to_multiple"]

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
        raise InputError(
            f"padding mode {mode!r} is unknown; allowed: {', '.join(map(repr, PADDING_MODES))}"
        )
    height, width = x.shape[-2:]
    if height < 1 or width < 1:
        raise InputError(f"images must have at least one pixel, got shape {tuple(x.shape)}")
    for dim, length in ((-1, width), (-2, height)):
        blocks = (length + multiple - 1) // multiple
        padded = multiple * blocks
        # an open size, in tracing, may need padding
        if not isinstance(length, int) or padded > length:
            position = torch.arange(padded, device=x.device)
            x = x.index_select(dim, _mirror(position, length, mode))
    return x, (height, width)


def pad_around(x: Tensor, margin: int) -> Tensor:
    """Mirror images beyond all four sides, together with their edges, as `matlab_resize` does.

    Args:
        x: Images, shape (B, C, H, W), H and W at least 1; may be smaller than the margin.
        margin: Pixels on each side.

    Returns:
        Shape (B, C, H + 2 * margin, W + 2 * margin).
    """
    for dim in (-1, -2):
        length = x.shape[dim]
        position = torch.arange(-margin, length + margin, device=x.device)
        x = x.index_select(dim, _mirror(position, length, "symmetric"))
    return x


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


def _mirror(position: Tensor, length: int, mode: str) -> Tensor:
    """Index of the pixel of a side of `length` that each position on it or beyond repeats."""
    # a tensor, so that tracing does not ask how long an open side is
    last = torch.arange(length, device=position.device)[-1:]
    if mode == "replicate":
        return torch.minimum(position, last)
    # forwards and backwards in turn, the edge once or twice
    again = 1 if mode == "symmetric" else 0
    period = (2 * (last + again)).clamp(min=1)
    step = position % period
    return torch.minimum(step, period - again - step)
