"""Windows are plain crops of the image, and regions tell apart what a roll brought together."""

from __future__ import annotations

import torch

from semanir_arch.modules.window import region_labels, window_partition, window_reverse


def test_windows_are_crops_in_reading_order() -> None:
    x = torch.rand(2, 3, 8, 12)
    windows = window_partition(x, 4)
    crops = [
        x[image, :, top : top + 4, left : left + 4].flatten(1).T
        for image in range(2)
        for top in (0, 4)
        for left in (0, 4, 8)
    ]
    assert torch.equal(windows, torch.stack(crops))
    assert torch.equal(window_reverse(windows, 4, 2, 8, 12), x)


def test_regions_are_the_parts_that_were_neighbours_before_the_roll() -> None:
    height, width, window, shifts = 8, 12, 4, (2, 2)
    labels = region_labels(height, width, window, shifts, torch.device("cpu"))
    # Positions before the roll: two pixels of a window were neighbors if they are as far apart as
    # they are now.
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    before = torch.stack((rows, columns)).roll((-2, -2), (1, 2))[None].float()
    positions = window_partition(before, window)
    now = window_partition(torch.stack((rows, columns))[None].float(), window)
    moved = positions - now
    touching = (moved.unsqueeze(2) == moved.unsqueeze(1)).all(-1)
    assert torch.equal(labels.unsqueeze(2) == labels.unsqueeze(1), touching)
