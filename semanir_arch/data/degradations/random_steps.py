"""Steps of random degradations of photographs, each with what it draws and the settings of that.

A strength between 0 and 1 weakens whatever was drawn: 1 leaves it, 0 makes the step do nothing.
That is ours; the papers have full strength only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from semanir_arch.data.degradations.blur_kernels import LARGEST
from semanir_arch.data.degradations.camera import camera_noise
from semanir_arch.data.degradations.codecs import Codec, through_file
from semanir_arch.data.degradations.declaration import (
    Chance,
    Declared,
    Number,
    Setting,
    Settings,
    Shares,
    pick,
)
from semanir_arch.data.degradations.levels import Level
from semanir_arch.data.degradations.noise_kinds import add_gaussian, add_poisson, add_speckle
from semanir_arch.data.degradations.resampling import resize
from semanir_arch.utils.errors import InputError

__all__ = [
    "NOISES",
    "ONE_JPEG",
    "SHIFT",
    "Hook",
    "add_noise",
    "compression_settings",
    "correlate",
    "has_happened",
    "kernel_size",
    "noise_settings",
    "recompress",
    "rescale",
    "to_levels",
]

Floats = NDArray[np.float32]

Hook = Callable[[Floats, float, np.random.Generator], Floats]
"""Further noise: (H, W, C) float32 in [0, 1], strength from 0 to 1, randomness; to the same."""

NOISES: dict[str, Hook] = {"camera": camera_noise}
"""Kinds of noise beside Gaussian, Poisson and speckle, by the names that settings have for them.

Another function in this place is taken instead, for example `camera_noise` with other settings.
"""

ONE_JPEG: Settings = {"webp_prob": 0.0, "chroma_444_prob": 0.3}
"""Settings for `recompress`, of a file as cameras and scanners write it; ours."""

SHIFT: Declared = {"shift_prob": Chance(0, "share whose last compression has a shifted block grid")}
"""Setting of a last compression."""

_BLOCK = 8
# weight of a pixel that no 8-bit image shows
_NOTHING = 1e-8


def has_happened(chance: float, rng: np.random.Generator) -> bool:
    """Draw whether something happens; one number is drawn, whatever the chance."""
    return bool(rng.random() < chance)


def correlate(image: Floats, kernel: Floats) -> Floats:
    """Filter every channel; beyond the border the image is mirrored without repeating its edge.

    Rows and columns of next to nothing around a kernel are left out, and kernels that are a column
    times a row are applied one after the other: the same to 1e-5, several times as fast.

    Args:
        image: (H, W, C) float32.
        kernel: (S, S) with an odd side.
    """
    kernel = _trimmed(kernel)
    column, row = kernel.sum(axis=1), kernel.sum(axis=0)
    border = cv2.BORDER_REFLECT_101
    if np.allclose(np.outer(column, row), kernel * kernel.sum(), rtol=0, atol=_NOTHING):
        filtered = cv2.sepFilter2D(image, -1, row, column / kernel.sum(), borderType=border)
    else:
        filtered = cv2.filter2D(image, -1, kernel, borderType=border)
    return np.asarray(filtered, np.float32).reshape(image.shape)


def _trimmed(kernel: Floats) -> Floats:
    """The kernel without its outermost rings, as long as they hold next to nothing."""
    while len(kernel) > 1:
        ring = np.abs(kernel).sum() - np.abs(kernel[1:-1, 1:-1]).sum()
        if ring > _NOTHING * kernel.size:
            break
        kernel = np.ascontiguousarray(kernel[1:-1, 1:-1])
    return kernel


def to_levels(image: Floats) -> Floats:
    """Clip to [0, 1] and round to the levels of 8 bits."""
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.float32) / np.float32(255)


def rescale(
    image: Floats,
    size: tuple[int, int],
    shares: Mapping[str, float],
    factor: Level,
    modes: Mapping[str, float],
    strength: float,
    rng: np.random.Generator,
) -> Floats:
    """Enlarge, reduce or keep the size.

    Args:
        image: (H, W, C) float32.
        size: Rows and columns that a factor of 1 stands for.
        shares: Shares of "up", "down" and "keep".
        factor: Range of which "up" takes the part above 1, and "down" the part below.
        modes: Shares of the ways of resizing.
        strength: Exponent of the factor drawn.
        rng: Source of randomness.

    Returns:
        (H', W', C) float32, at least 1 x 1.
    """
    direction = pick(shares, rng)
    low, high = min(factor.values), max(factor.values)
    drawn = {
        "up": lambda: rng.uniform(1, max(1, high)),
        "down": lambda: rng.uniform(min(1, low), 1),
        "keep": lambda: 1.0,
    }[direction]()
    height, width = (max(1, round(length * drawn**strength)) for length in size)
    return resize(image, height, width, pick(modes, rng))


def kernel_size(source: str) -> Number:
    """Declares the side of blur kernels."""
    sides = {"list": [7, 9, 11, 13, 15, 17, 19, 21]}
    return Number(sides, 3, LARGEST, "side in pixels, odd", source, whole=True)


def noise_settings(
    sigma: tuple[float, float],
    scale: tuple[float, float],
    colorings: Mapping[str, float],
    source: str,
    source_of_scale: str,
) -> dict[str, Setting]:
    """Declares what `add_noise` reads.

    Args:
        sigma: Range of the standard deviation, 0-255 scale.
        scale: Range of the factor of Poisson noise.
        colorings: Shares of the colorings.
        source: Source of the defaults.
        source_of_scale: Source of the range of the factor.
    """
    return {
        "noise_sigma": Number(list(sigma), 0, 255, "standard deviation, 0-255 scale", source),
        "poisson_scale": Number(list(scale), 0, 10, "factor of Poisson noise", source_of_scale),
        "noise_colors": Shares(colorings, "colorings", source),
    }


def compression_settings(source: str, words: str = "1 (worst) to 100") -> dict[str, Setting]:
    """Declares what `recompress` reads; what no paper has is left out by default.

    Args:
        source: Source of the range of qualities.
        words: Description of the qualities in one line.
    """
    return {
        "jpeg_quality": Number([30, 95], 1, 100, words, source, whole=True),
        "webp_prob": Chance(0, "share of WebP files instead of JPEG"),
        "chroma_444_prob": Chance(0, "share of JPEG files with full chroma instead of 4:2:0"),
    }


def add_noise(
    image: Floats,
    kind: str,
    settings: Settings,
    strength: float,
    rng: np.random.Generator,
    end: str = "",
) -> Floats:
    """Add noise of one kind.

    Args:
        image: (H, W, C) float32.
        kind: "gaussian", "poisson", "speckle", or a key of `NOISES`.
        settings: Settings as `noise_settings` declares them.
        strength: Factor of the standard deviation.
        rng: Source of randomness.
        end: End of the settings' names, such as that of a stage.

    Returns:
        (H, W, C) float32 in [0, 1].

    Raises:
        ValueError: There is no such kind.
    """
    sigma, scale = settings[f"noise_sigma{end}"], settings[f"poisson_scale{end}"]
    coloring = pick(settings[f"noise_colors{end}"], rng)
    if kind == "gaussian":
        noisy = add_gaussian(image, strength * sigma.sample(rng), coloring, rng)
    elif kind == "speckle":
        noisy = add_speckle(image, strength * sigma.sample(rng), coloring, rng)
    elif kind == "poisson":
        noisy = add_poisson(image, strength * scale.sample(rng), coloring, rng)
    elif kind in NOISES:
        noisy = NOISES[kind](np.clip(image, 0, 1), strength, rng)
    else:
        known = ", ".join(["gaussian", "speckle", "poisson", *NOISES])
        raise InputError(f"noise of the kind {kind!r} is not here; available: {known}")
    return np.clip(noisy, 0, 1)


def recompress(
    image: Floats,
    settings: Settings,
    strength: float,
    rng: np.random.Generator,
    end: str = "",
    *,
    shifted: bool = False,
) -> Floats:
    """Compress with a real codec.

    Args:
        image: (H, W, C) float32.
        settings: Settings as `compression_settings` declares them.
        strength: Strength: 1 takes the quality drawn, 0 a quality of 100.
        rng: Source of randomness.
        end: End of the settings' names, such as that of a stage.
        shifted: Whether the grid of blocks begins anywhere, instead of at the corner.

    Returns:
        (H, W, C) float32 in [0, 1], on 8-bit levels.
    """
    drawn = round(100 - strength * (100 - settings[f"jpeg_quality{end}"].sample(rng)))
    codec = "webp" if has_happened(settings[f"webp_prob{end}"], rng) else "jpeg"
    chroma = "4:4:4" if has_happened(settings[f"chroma_444_prob{end}"], rng) else "4:2:0"
    down, right = (int(length) for length in rng.integers(0, _BLOCK, 2))
    shift = (down, right) if shifted else (0, 0)
    return through_file(image, Codec(codec, drawn, chroma), shift)
