"""Dual-pixel defocus: the views through the left and the right half of the lens, 16 bit.

Facts: the two views are concatenated, left first, each RGB (Restormer, CVPR 2022, for the data set
DPDD of Abuolaim and Brown, ECCV 2020).
"""

from __future__ import annotations

from typing import ClassVar

from semanir_arch.data.datasets.dataset_options import ROOTS
from semanir_arch.data.datasets.paired_restoration_dataset import PairedRestorationDataset
from semanir_arch.utils.options import Option


class DualPixelDefocusDataset(PairedRestorationDataset):
    """Sharp images and both blurred views of them; otherwise as `PairedRestorationDataset`.

    `lq` has twice `channels` channels: left view, then right view. `lq_path` is the left view.
    """

    TASK: ClassVar[str | None] = "defocus_dual"
    """A name of `semanir_arch.tasks.TASKS`; its protocol is that of single images."""

    INPUT_ROOTS: ClassVar[tuple[str, ...]] = ("dataroot_left", "dataroot_right")

    OPTIONS: ClassVar[dict[str, Option]] = {
        "dataroot_left": Option(
            ROOTS, help="left views: folder or *.lmdb, one entry per dataroot_gt"
        ),
        "dataroot_right": Option(ROOTS, help="right views, of the same names as the left ones"),
    } | {
        name: option
        for name, option in PairedRestorationDataset.OPTIONS.items()
        if name != "dataroot_lq"
    }

    @property
    def input_view(self) -> slice:
        """Channels of `lq` that are a picture: the left view."""
        return slice(0, self.channels)
