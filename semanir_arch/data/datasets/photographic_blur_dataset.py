"""Deblurring: clean images, blurred in light by motion or defocus, with noise and compression.

A demonstration for a task without real pairs at hand; published sets are read by
`PairedRestorationDataset`.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from semanir_arch.data.datasets.clean_images import CleanImageDataset
from semanir_arch.data.datasets.declared_damage import DeclaredDamageDataset
from semanir_arch.data.degradations.declaration import Declared, as_options
from semanir_arch.data.degradations.exposure import SETTINGS, photographic_blur
from semanir_arch.utils.options import Option


class PhotographicBlurDataset(DeclaredDamageDataset):
    """Clean images and blurred ones, see `photographic_blur` and `DeclaredDamageDataset`."""

    DECLARED: ClassVar[Declared] = SETTINGS
    SURROUNDINGS: ClassVar[int] = 28
    OPTIONS: ClassVar[dict[str, Option]] = {**CleanImageDataset.OPTIONS, **as_options(SETTINGS)}

    def damage(self, image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        """Blur an image as a camera does."""
        return photographic_blur(image, self.settings, rng)
