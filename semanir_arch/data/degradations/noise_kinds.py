"""Noise of real-world super-resolution: Gaussian, Poisson and speckle, in three colorings.

K. Zhang et al., Designing a Practical Degradation Model for Deep Blind Image Super-Resolution
(BSRGAN), arXiv 2103.14006, section 3.3: Gaussian noise that is independent in every channel
("color"), the same in all ("gray"), or of any covariance ("covariance"). X. Wang et al.,
Real-ESRGAN, arXiv 2107.10833: Poisson noise with a factor, in color or gray. Speckle, noise in
proportion to the image, comes with the code that BSRGAN's authors published.

Nothing is clipped here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from semanir_arch.utils.errors import InputError

__all__ = ["COLORINGS", "PHOTONS", "add_gaussian", "add_poisson", "add_speckle"]

Floats = NDArray[np.float32]

COLORINGS = ("color", "gray", "covariance")
"""Relations among the channels of noise."""

PHOTONS = 255.0
"""Photons at white for Poisson noise of scale 1. Ours: the authors' code takes the power of 2 above
the number of different values in the picture, so that the noise depends on the content; for most
photographs that is 256."""


def add_gaussian(image: Floats, sigma: float, coloring: str, rng: np.random.Generator) -> Floats:
    """Add white Gaussian noise.

    Args:
        image: (H, W, C) float32, range [0, 1].
        sigma: Standard deviation on the 0-255 scale, 0 or more; with "covariance" that of the
            noisiest direction in color space.
        coloring: Coloring of the noise, one of `COLORINGS`; with one channel all are the same.
        rng: Source of randomness.

    Returns:
        (H, W, C) float32, not clipped.

    Raises:
        ValueError: The coloring is unknown.
    """
    return image + _field(image.shape, coloring, rng) * np.float32(sigma / 255)


def add_speckle(image: Floats, sigma: float, coloring: str, rng: np.random.Generator) -> Floats:
    """Add Gaussian noise that is multiplied by the image; arguments as in `add_gaussian`."""
    return image + image * _field(image.shape, coloring, rng) * np.float32(sigma / 255)


def add_poisson(image: Floats, scale: float, coloring: str, rng: np.random.Generator) -> Floats:
    """Add the noise of counted photons: its variance is `scale`^2 times the image over `PHOTONS`.

    Args:
        image: (H, W, C) float32; below 0 it counts as 0.
        scale: Factor of the noise, 0 or more.
        coloring: "gray": the noise of luma in all channels; otherwise every channel has its own.
        rng: Source of randomness.

    Returns:
        (H, W, C) float32, not clipped.

    Raises:
        ValueError: The coloring is unknown.
    """
    _check(coloring)
    light = image
    if coloring == "gray" and image.shape[2] == 3:
        light = image @ np.array([[0.299], [0.587], [0.114]], np.float32)
    light = np.maximum(light, 0)
    noise = rng.poisson(light * PHOTONS).astype(np.float32) / np.float32(PHOTONS) - light
    return image + noise * np.float32(scale)


def _check(coloring: str) -> None:
    if coloring not in COLORINGS:
        raise InputError(f"coloring must be one of {', '.join(COLORINGS)}, received {coloring!r}")


def _field(shape: tuple[int, ...], coloring: str, rng: np.random.Generator) -> Floats:
    """Noise of standard deviation 1 (in its strongest direction), (H, W, C) or (H, W, 1)."""
    _check(coloring)
    height, width, channels = shape
    if coloring == "gray":
        return rng.standard_normal((height, width, 1), np.float32)
    noise = rng.standard_normal(shape, np.float32)
    if coloring == "covariance" and channels > 1:
        noise = noise @ _square_root(channels, rng).astype(np.float32)
    return noise


def _square_root(channels: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """A matrix whose square is a random covariance; its largest variance is 1.

    The paper says only that the covariance is random. Ours: random orthogonal directions, and in
    them variances that are uniform in [0, 1], divided by the largest.
    """
    directions, _ = np.linalg.qr(rng.standard_normal((channels, channels)))
    variances = rng.random(channels)
    scale = np.sqrt(variances / variances.max())
    return (directions * scale) @ directions.T
