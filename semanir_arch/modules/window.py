"""Non-overlapping windows, and the regions of a cyclically shifted image.

Legend: B images, H x W pixels, C channels, window of (h, w) pixels, nW windows per image, N = h w
tokens per window.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor

__all__ = ["region_labels", "window_partition", "window_reverse"]


def window_partition(x: Tensor, window_size: int) -> Tensor:
    """Cut images into windows.

    Args:
        x: Shape (B, C, H, W), H and W multiples of `window_size`.
        window_size: Side of a window in pixels.

    Returns:
        Shape (B * nW, N, C); windows in reading order within an image, tokens in reading order
        within a window.
    """
    return rearrange(
        x, "B C (rows h) (columns w) -> (B rows columns) (h w) C", h=window_size, w=window_size
    )


def window_reverse(
    windows: Tensor, window_size: int, batch: int, height: int, width: int
) -> Tensor:
    """Undo `window_partition`.

    Args:
        windows: Shape (B * nW, N, C).
        window_size: Side of a window in pixels.
        batch: Number of images, B.
        height: Height of the images, H.
        width: Width of the images, W.

    Returns:
        Shape (B, C, H, W), channels-last in memory.
    """
    # sizes in full: with one left to find, tracing with open sizes takes minutes
    sizes = {"B": batch, "rows": height // window_size, "columns": width // window_size}
    pixels = rearrange(
        windows,
        "(B rows columns) (h w) C -> B (rows h) (columns w) C",
        **sizes,
        h=window_size,
        w=window_size,
    )
    return pixels.permute(0, 3, 1, 2)


def region_labels(
    height: int, width: int, window_size: int, shifts: tuple[int, int], device: torch.device
) -> Tensor:
    """Number the parts of an image that a cyclic shift brings together although they do not touch.

    After rolling an image up and left, the last window of each row and column holds pixels from
    opposite borders.
    Tokens may look at each other only where their labels agree.

    Args:
        height: Height of the image, H.
        width: Width of the image, W.
        window_size: Side of a window in pixels.
        shifts: Pixels by which the image was rolled up and left; 0 is no roll.
        device: Device of the labels.

    Returns:
        Shape (nW, N), int64, for one image of H x W pixels that has been rolled.
    """
    row = torch.arange(height, device=device) >= height - shifts[0]
    column = torch.arange(width, device=device) >= width - shifts[1]
    labels = row.long().unsqueeze(1) * 2 + column.long()
    return window_partition(labels[None, None], window_size).squeeze(-1)
