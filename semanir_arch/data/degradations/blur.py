"""Blur by motion or defocus: an image filtered in light instead of in stored values.

A sensor adds light. Blurring stored values, which follow a gamma curve, would lose what makes real
blur look real: bright spots that keep shining as traces and discs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from semanir_arch.data.degradations.filtering import filter_image, from_light, to_light


def blur(image: Tensor, kernel: NDArray[np.float32]) -> Tensor:
    """Blur an image, noise-free.

    Args:
        image: (C, H, W) float32, range [0, 1]. Beyond the border it is mirrored.
        kernel: Odd sides, not negative, sum 1; from `motion_kernel` or `disc_kernel`.

    Returns:
        (C, H, W) float32 in [0, 1].
    """
    return from_light(filter_image(to_light(image), kernel))
