"""Removal of JPEG artifacts: clean images, compressed on the fly."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from numpy.typing import NDArray

from semanir_arch.data.datasets.clean_images import CleanImageDataset, Pair
from semanir_arch.data.datasets.dataset_options import checked_choice
from semanir_arch.data.datasets.training_patch import TrainingPatch, to_tensor
from semanir_arch.data.degradations.damage import Damage
from semanir_arch.data.degradations.declaration import as_options
from semanir_arch.data.degradations.jpeg import (
    CHROMA,
    DAMAGE,
    ENCODERS,
    SETTINGS,
    compress_jpeg,
    compress_jpeg_region,
    covering_blocks,
    to_8_bit,
)
from semanir_arch.utils.options import Option


class JpegCompressionDataset(CleanImageDataset):
    """Clean images and compressed versions of them.

    The image is compressed before it is cropped, so that the grid of blocks lies anywhere in a
    patch, as it does in files. 16-bit images are rounded to the 8 bits that JPEG holds. See
    `CleanImageDataset`.
    """

    DAMAGE: ClassVar[Damage | None] = DAMAGE

    OPTIONS: ClassVar[dict[str, Option]] = {
        **CleanImageDataset.OPTIONS,
        **as_options(SETTINGS),
    }

    def configure(self) -> None:
        """Check and keep the options of this class."""
        self.quality = self.constant_level(self.level("quality"), "quality")
        self.chroma = checked_choice(self.options, "chroma", CHROMA)
        self.encoder = checked_choice(self.options, "encoder", ENCODERS)

    def training_pair(self, patch: TrainingPatch, generator: torch.Generator) -> Pair:
        """Patch of the compressed image, and clean patch."""
        halved = self.channels == 3 and self.chroma == "4:2:0"
        window = covering_blocks(patch.top, patch.left, patch.size, patch.size, halved=halved)
        compressed = compress_jpeg_region(
            to_8_bit(patch.window(*window)),
            patch.top - window[0],
            patch.left - window[1],
            patch.size,
            patch.size,
            int(self.quality.draw(generator)),
            chroma=self.chroma,
            encoder=self.encoder,
        )
        return to_tensor(patch.turned(compressed)), to_tensor(patch.pixels())

    def evaluation_pair(self, pixels: NDArray[Any], index: int) -> Pair:
        """Compressed and clean image."""
        del index
        quality = int(self.quality.values[0])
        compressed = compress_jpeg(
            to_8_bit(pixels), quality, chroma=self.chroma, encoder=self.encoder
        )
        return to_tensor(compressed), to_tensor(pixels)
