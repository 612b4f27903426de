"""Noisy blocks whose clean ones a server keeps: DND and SIDD's online test set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch.utils.data import Dataset

from semanir_arch.data.datasets.dataset_options import checked_phase
from semanir_arch.data.datasets.submissions import Submission
from semanir_arch.data.files.image_io import to_float
from semanir_arch.data.sources.source_opening import open_source
from semanir_arch.utils.errors import InputError
from semanir_arch.utils.options import Option, read_options


class SubmissionDataset(Dataset[dict[str, Any]]):
    """The blocks that a server scores, without targets.

    Args:
        opt: `phase` ('val' or 'test') and the options of `OPTIONS`; others are ignored.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: It is damaged or of another kind, or the phase is 'train'.
    """

    OPTIONS: ClassVar[dict[str, Option]] = {
        "dataroot_lq": Option(
            str, help="info.mat of DND, or SIDD's BenchmarkNoisyBlocksSrgb.mat (any *.mat of it)"
        ),
    }

    @classmethod
    def input_channels(cls, options: Mapping[str, Any]) -> int:
        """Channels of `lq`."""
        del options
        return 3

    @classmethod
    def pixel_ratio(cls, options: Mapping[str, Any]) -> int:
        """Pixels of the server's targets per pixel of `lq`."""
        del options
        return 1

    def __init__(self, opt: Mapping[str, Any]) -> None:
        self.opt = opt
        root = read_options(self.OPTIONS, opt)["dataroot_lq"]
        if checked_phase(opt) == "train":
            raise InputError("SubmissionDataset has no targets to train with")
        if not root.endswith(".mat"):
            raise InputError(
                f"dataroot_lq must be info.mat of DND or a *.mat of SIDD, received {root!r}"
            )
        self.source = open_source(root)

    @property
    def item_names(self) -> Sequence[str]:
        """Names of the blocks in results."""
        return self.source.labels

    def __len__(self) -> int:
        """Number of blocks."""
        return len(self.source)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """One block.

        Returns:
            `lq`: (3, H, W) float32 in [0, 1], RGB. `lq_path`: ends in the block's name and '.png'.

        Raises:
            ValueError: The file is damaged.
        """
        block = self.source.read(index)
        pixels = block if block.dtype == np.float32 else to_float(block)
        lq = torch.from_numpy(pixels.transpose(2, 0, 1).copy())
        return {"lq": lq, "lq_path": self.source.path(index)}

    def submission(self, folder: Path) -> Submission:
        """Destination of the denoised blocks."""
        return Submission(self.source, folder)
