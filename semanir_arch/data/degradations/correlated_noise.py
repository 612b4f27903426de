"""Noise like that of finished photographs, without a camera: a cheap second opinion.

Gaussian noise with a random covariance among colors, as in K. Zhang et al., Designing a Practical
Degradation Model for Deep Blind Image Super-Resolution (arXiv 2103.14006, Section 3.3), but blurred
among pixels, more in color than in brightness, and stronger or weaker in bright parts. It errs in
other ways than `camera` does; a network trained on both is better on real pictures than one trained
on either.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semanir_arch.data.degradations.camera_finish import (
    SHARPENING,
    remaining_deviation,
    sharpen,
    smooth,
)
from semanir_arch.data.degradations.declaration import Chance, Declared, Draws, Number, Settings
from semanir_arch.data.degradations.sharing import NOTHING, Sharing, draw_sharing, share
from semanir_arch.data.degradations.sharing import SETTINGS as SHARING

__all__ = ["SETTINGS", "CorrelatedNoise", "add_correlated_noise", "draw_correlated_noise"]

Pixels = NDArray[np.float32]

SETTINGS: Declared = {
    "sigma": Number([1, 25], 0, 255, "standard deviation of noise, 0-255 scale", log=True),
    "chroma_ratio": Number([0.3, 1.5], 0, 10, "ratio of color noise to brightness noise"),
    "luma_blur_prob": Chance(0.7, "share with blurred brightness noise"),
    "luma_blur": Number([0.3, 1.1], 0, 8, "standard deviation of the blur, in pixels"),
    "chroma_blur_prob": Chance(0.8, "share with blurred color noise"),
    "chroma_blur": Number([0.5, 3.5], 0, 16, "standard deviation of the blur, in pixels"),
    "slope": Number([-0.9, 0.9], -1, 1, "relative change of the strength from black to white"),
    **SHARPENING,
    **SHARING,
}
"""Everything that `draw_correlated_noise` draws."""


@dataclass(frozen=True)
class CorrelatedNoise:
    """Noise with a covariance among colors and pixels.

    Args:
        sigma: Root mean square of the standard deviations of the colors in the mid-tones, of
            white (1).
        mixing: (3, 3) from three independent noises, one of brightness and two of color, to R, G
            and B; the mean of its squared rows is 1.
        blurs: Standard deviations in pixels of the blur of the noise of brightness, and of color.
        slope: The strength at brightness x is `sigma` (1 + slope (2 x - 1)).
        sharpening: Amount, and standard deviation in pixels.
        sharing: Resizing and compression of the noisy picture.
    """

    sigma: float
    mixing: NDArray[np.float32]
    blurs: tuple[float, float] = (0.0, 0.0)
    slope: float = 0.0
    sharpening: tuple[float, float] = (0.0, 1.0)
    sharing: Sharing = NOTHING


def draw_correlated_noise(settings: Settings, rng: np.random.Generator) -> CorrelatedNoise:
    """Draw a kind of noise.

    Args:
        settings: Values of `SETTINGS`, from `parse_settings`.
        rng: Source of randomness.
    """
    draws = Draws(settings, rng)
    # noise of brightness reaches all colors, in shares that vary a little
    brightness = 1 + 0.15 * rng.standard_normal((3, 1))
    colour = draws.value("chroma_ratio") * rng.standard_normal((3, 2))
    mixing = np.concatenate((brightness, colour), axis=1)
    mixing *= np.sqrt(3 / (mixing**2).sum())
    return CorrelatedNoise(
        draws.value("sigma") / 255,
        mixing.astype(np.float32),
        (draws.maybe("luma_blur"), draws.maybe("chroma_blur")),
        draws.value("slope"),
        (draws.maybe("sharpen"), draws.value("sharpen_sigma")),
        draw_sharing(settings, rng),
    )


def add_correlated_noise(
    image: Pixels, noise: CorrelatedNoise, rng: np.random.Generator | None
) -> Pixels:
    """Make a picture noisy.

    Args:
        image: (H, W, 3) RGB float32, range [0, 1], without noise.
        noise: Noise to add.
        rng: Source of the noise; None for the picture without noise and compression.

    Returns:
        Picture as `camera.photograph` returns it.
    """
    if rng is not None:
        white = rng.standard_normal(image.shape, np.float32)
        blurs = (noise.blurs[0], noise.blurs[1], noise.blurs[1])
        # blurred and brought back to a variance of 1
        fields = [
            smooth(white[..., index], blur) / remaining_deviation(blur)
            for index, blur in enumerate(blurs)
        ]
        strength = noise.sigma * (1 + noise.slope * (2 * image.mean(-1, keepdims=True) - 1))
        image = image + strength * (np.stack(fields, -1) @ noise.mixing.T)
    return share(
        sharpen(image, *noise.sharpening).clip(0, 1), noise.sharing, is_lossy=rng is not None
    )
