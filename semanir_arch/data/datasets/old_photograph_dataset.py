"""Old photographs for demonstrations: clean images, faded, toned, grainy, scratched or printed."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from semanir_arch.data.datasets.clean_images import CleanImageDataset
from semanir_arch.data.datasets.declared_damage import DeclaredDamageDataset
from semanir_arch.data.degradations.declaration import Declared, as_options
from semanir_arch.data.degradations.old_photograph import SETTINGS, age
from semanir_arch.utils.options import Option

Floats = NDArray[np.float32]


class OldPhotographDataset(DeclaredDamageDataset):
    """Clean images and old ones, see `age` and `DeclaredDamageDataset`.

    Where the colors are gone, the target is gray: nobody can know them.
    """

    DECLARED: ClassVar[Declared] = SETTINGS
    OPTIONS: ClassVar[dict[str, Option]] = {**CleanImageDataset.OPTIONS, **as_options(SETTINGS)}

    def pair(self, image: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Let an image age."""
        old, target, _ = age(image, self.settings, rng)
        return old, target
