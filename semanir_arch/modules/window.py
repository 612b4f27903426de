"""Non-overlapping windows, and the regions of a cyclically shifted image.

Legend: B images, H x W pixels, C channels, window of (h, w) pixels, nW windows per image, N = h w
tokens per window.
"""

from __future__ import annotations

import torch
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
    batch, channels, height, width = x.shape
    rows, columns = height // window_size, width // window_size
    x = x.view(batch, channels, rows, window_size, columns, window_size)
    # sizes in full: with one left to find, tracing with open sizes takes minutes
    return x.permute(0, 2, 4, 3, 5, 1).reshape(
        batch * rows * columns, window_size * window_size, channels
    )


def window_reverse(
    windows: Tensor, window_size: int, batch: int, height: int, width: int
) -> Tensor:
    """Undo `window_partition`.

    Args:
        windows: Shape (B * nW, N, C).
        window_size: Side of a window in pixels.
        batch: B, number of images.
        height: H of the images.
        width: W of the images.

    Returns:
        Shape (B, C, H, W), channels-last in memory.
    """
    rows, columns, channels = height // window_size, width // window_size, windows.shape[-1]
    x = windows.view(batch, rows, columns, window_size, window_size, channels)
    return x.transpose(2, 3).reshape(batch, height, width, channels).permute(0, 3, 1, 2)


def region_labels(
    height: int, width: int, window_size: int, shifts: tuple[int, int], device: torch.device
) -> Tensor:
    """Number the parts of an image that a cyclic shift brings together although they do not touch.

    After rolling an image up and left, the last window of each row and column holds pixels from
    opposite borders.
    Tokens may look at each other only where their labels agree.

    Args:
        height: H.
        width: W.
        window_size: Side of a window in pixels.
        shifts: Pixels by which the image was rolled up and left; 0 is no roll.
        device: Where to put the labels.

    Returns:
        Shape (nW, N), int64, for one image of H x W pixels that has been rolled.
    """
    row = torch.arange(height, device=device) >= height - shifts[0]
    column = torch.arange(width, device=device) >= width - shifts[1]
    labels = row.long().unsqueeze(1) * 2 + column.long()
    return window_partition(labels[None, None], window_size).squeeze(-1)
