"""Real-world restoration and super-resolution: clean images, damaged twice as Real-ESRGAN does."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from semanir_arch.data.datasets.clean_images import CleanImageDataset
from semanir_arch.data.datasets.declared_damage import DeclaredDamageDataset
from semanir_arch.data.degradations.declaration import Declared, as_options
from semanir_arch.data.degradations.second_order import SETTINGS, second_order
from semanir_arch.utils.options import Option


class SecondOrderDataset(DeclaredDamageDataset):
    """Clean images and versions of them with blur, resizing, noise and compression, twice.

    `opt` has `scale` too, 1 to 4. See `second_order` and `DeclaredDamageDataset`.
    """

    DECLARED: ClassVar[Declared] = SETTINGS
    SCALES: ClassVar[tuple[int, ...]] = (1, 2, 3, 4)
    OPTIONS: ClassVar[dict[str, Option]] = {**CleanImageDataset.OPTIONS, **as_options(SETTINGS)}

    def damage(self, image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        """Damage an image, and reduce it by the scale."""
        return second_order(image, self.scale, self.settings, rng)
