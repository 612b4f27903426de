"""Damage in random order: two blurs, reduction, noise and compression, shuffled.

K. Zhang et al., Designing a Practical Degradation Model for Deep Blind Image Super-Resolution
(BSRGAN), arXiv 2103.14006. Defaults are those of the paper; where they are ours, `SETTINGS` says
so. A last JPEG compression always follows.

- two blurs, with an isotropic and an anisotropic Gaussian kernel; their widths grow with the scale
- reduction by a drawn way: nearest, bilinear, bicubic, or to less and up again ("down_up")
- Gaussian noise of three colorings
- JPEG
- the noise of a camera, with a probability of 0.25; the camera is ours (`camera.camera_noise`)
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from semanir_arch.data.degradations.blur_kernels import gaussian_kernel
from semanir_arch.data.degradations.damage import Recipe, examples
from semanir_arch.data.degradations.declaration import (
    OURS,
    Chance,
    Declared,
    Number,
    Settings,
    Shares,
    pick,
)
from semanir_arch.data.degradations.random_steps import (
    SHIFT,
    add_noise,
    compression_settings,
    correlate,
    has_happened,
    kernel_size,
    noise_settings,
    recompress,
    to_levels,
)
from semanir_arch.data.degradations.resampling import resize

__all__ = ["SETTINGS", "shuffled"]

Floats = NDArray[np.float32]

_PAPER = "BSRGAN"
_COLORINGS = {"covariance": 0.2, "color": 0.4, "gray": 0.4}
_INTERPOLATIONS = {"bilinear": 1.0, "bicubic": 1.0, "area": 1.0}

SETTINGS: Declared = {
    "strength": Number(1, 0, 1, "strength of all damage; 0 leaves only the downsampling"),
    "kernel_size": kernel_size(_PAPER),
    "iso_sigma": Number([0.1, 2.8], 0.01, 20, "width in pixels; for x2 up to 2.4", _PAPER),
    "aniso_sigma": Number([0.5, 8], 0.01, 20, "widths in pixels; for x2 up to 6", _PAPER),
    "reduction": Shares(
        {"nearest": 1, "bilinear": 1, "bicubic": 1, "down_up": 1}, "methods of downsampling", _PAPER
    ),
    "half_first_prob": Chance(0.25, "share that first halves the size, at x4", _PAPER),
    **noise_settings((1, 25), (0.05, 3), _COLORINGS, _PAPER, OURS),
    "jpeg_prob": Chance(0.75, "share with compression among the shuffled steps", _PAPER),
    **compression_settings(_PAPER, "quality of every compression, 1 (worst) to 100"),
    **SHIFT,
    "speckle_prob": Chance(0, "share with speckle among the shuffled steps"),
    "poisson_prob": Chance(0, "share with Poisson noise among the shuffled steps"),
    "camera_prob": Chance(0.25, "share with camera noise among the shuffled steps", _PAPER),
}
"""Settings of `shuffled`."""

Step = Callable[[Floats], Floats]


def shuffled(image: Floats, scale: int, settings: Settings, rng: np.random.Generator) -> Floats:
    """Degrade a clean photograph.

    Args:
        image: (H, W, C) float32 in [0, 1], gray or RGB.
        scale: Factor by which the result is smaller, 1 or more; the sides of the image are
            multiples of it.
        settings: Result of `parse_settings(SETTINGS, ...)`.
        rng: Source of randomness.

    Returns:
        (H / scale, W / scale, C) float32 in [0, 1], on 8-bit levels.

    Raises:
        ValueError: A kernel size is even.
    """
    strength = settings["strength"].sample(rng)
    size = image.shape[0] // scale, image.shape[1] // scale
    if scale >= 4 and has_happened(settings["half_first_prob"], rng):
        half = image.shape[0] // 2, image.shape[1] // 2
        image = resize(image, *half, pick(_even(_INTERPOLATIONS), rng))
    steps = _steps(size, settings, strength, rng)
    for index in rng.permutation(len(steps)):
        image = steps[int(index)](image)
    shift = has_happened(settings["shift_prob"], rng)
    return to_levels(recompress(image, settings, strength, rng, shifted=shift))


def _steps(
    size: tuple[int, int], settings: Settings, strength: float, rng: np.random.Generator
) -> list[Step]:
    """Steps to shuffle; each draws when it is its turn."""
    steps: list[Step] = [
        lambda image: _blur(image, settings, "iso_sigma", strength, rng),
        lambda image: _blur(image, settings, "aniso_sigma", strength, rng),
        lambda image: _reduce(image, size, settings, strength, rng),
        lambda image: add_noise(image, "gaussian", settings, strength, rng),
    ]
    if has_happened(settings["jpeg_prob"], rng):
        steps.append(lambda image: recompress(image, settings, strength, rng))
    for kind, chance in (
        ("speckle", settings["speckle_prob"]),
        ("poisson", settings["poisson_prob"]),
        ("camera", settings["camera_prob"]),
    ):
        if has_happened(chance, rng):
            steps.append(lambda image, kind=kind: add_noise(image, kind, settings, strength, rng))  # type: ignore[misc]
    return steps


def _blur(
    image: Floats, settings: Settings, name: str, strength: float, rng: np.random.Generator
) -> Floats:
    size = int(settings["kernel_size"].sample(rng))
    along, across = (max(0.01, strength * settings[name].sample(rng)) for _ in range(2))
    angle = rng.uniform(0, math.pi)
    return correlate(
        image, gaussian_kernel(size, along, None if name == "iso_sigma" else across, angle)
    )


def _reduce(
    image: Floats,
    size: tuple[int, int],
    settings: Settings,
    strength: float,
    rng: np.random.Generator,
) -> Floats:
    way = pick(settings["reduction"], rng)
    if way != "down_up":
        return resize(image, *size, way)
    # to between the size of the result and, at strength 1, half of it, then up again; at the same
    # size that is all the reduction there is
    factor = rng.uniform(0.5, 1) ** strength
    small = max(1, round(size[0] * factor)), max(1, round(size[1] * factor))
    modes = _even(_INTERPOLATIONS)
    return resize(resize(image, *small, pick(modes, rng)), *size, pick(modes, rng))


def _even(shares: dict[str, float]) -> dict[str, float]:
    return {kind: share / sum(shares.values()) for kind, share in shares.items()}


DAMAGE = Recipe(
    name="shuffled",
    help="blurs, reduction, noise and compression in random order, as BSRGAN; 8 bit",
    settings=SETTINGS,
    apply=lambda image, values, rng: (shuffled(image, values["scale"], values, rng), image),
    scales=(1, 2, 3, 4),
    examples=examples("strength", 0.25, 0.5, 1),
)
