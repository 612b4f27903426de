"""Gaussian noise, as training draws it and as published test scripts draw it.

Noise is float, neither clipped nor quantised: clipping would make the task easier (it adds about
one decibel to the noisy input at sigma 50).

Papers draw the noise of their test images in four ways, which differ by some hundredths of a
decibel. `NOISE_CONVENTIONS` names them after generator, memory layout and channel order:

- `numpy_hwc_rgb`: NumPy, seed 0 for every image, (H, W, C) RGB. Restormer, X-Restormer.
- `numpy_hwc_bgr`: the same, BGR; red and blue get each other's noise. SwinIR, KAIR, MambaIR.
- `torch_chw_rgb`: PyTorch, seed 0 for every image, (C, H, W) RGB. RAMiT.
- `sha256_chw_rgb`: NumPy, seeded with the SHA-256 of the file name up to its first underscore,
  (C, H, W) RGB. GRL, from a description of its code; bit equality could not be checked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from semanir_arch.data.degradations.damage import DrawnDamage, examples
from semanir_arch.data.degradations.declaration import Declared, Number
from semanir_arch.utils.errors import InputError
from semanir_arch.utils.options import REQUIRED

MAX_SIGMA = 255.0
"""Largest noise standard deviation on the 0-255 scale."""

SETTINGS: Declared = {
    "sigma": Number(
        REQUIRED,
        0,
        MAX_SIGMA,
        "noise standard deviation on the 0-255 scale; a number outside training",
        constant=True,
    )
}
"""Parameters of `gaussian_noise`, in its units."""


def gaussian_noise(image: Tensor, sigma: float, generator: torch.Generator) -> Tensor:
    """Add white Gaussian noise.

    Args:
        image: Image of any shape, float, range [0, 1].
        sigma: Standard deviation on the 0-255 scale.
        generator: Source of randomness.

    Returns:
        The noisy image, neither clipped nor rounded; shape and type of `image`.
    """
    noise = torch.randn(image.shape, generator=generator, dtype=image.dtype)
    return noise.mul_(sigma / 255).add_(image)


def noise_of_testset(image: Tensor, sigma: float, convention: str, file_name: str) -> Tensor:
    """Add the noise that a published test script adds to an image.

    Args:
        image: (C, H, W) float32, RGB or gray, range [0, 1].
        sigma: Standard deviation on the 0-255 scale.
        convention: A key of `NOISE_CONVENTIONS`.
        file_name: Name of the image file without folders; only `sha256_chw_rgb` uses it.

    Returns:
        (C, H, W) float32, neither clipped nor rounded.

    Raises:
        ValueError: The convention is unknown.
    """
    if convention not in NOISE_CONVENTIONS:
        allowed = ", ".join(NOISE_CONVENTIONS)
        raise InputError(f"noise convention {convention!r} is unknown; allowed: {allowed}")
    noise = NOISE_CONVENTIONS[convention](tuple(image.shape), file_name)
    # the scripts add in double precision and round the sum once
    return (image.double() + noise.double() * (sigma / 255)).to(image.dtype)


def _numpy_hwc_rgb(shape: tuple[int, ...], file_name: str) -> Tensor:
    del file_name
    channels, height, width = shape
    noise = np.random.RandomState(0).standard_normal((height, width, channels))
    return torch.from_numpy(noise).permute(2, 0, 1)


def _numpy_hwc_bgr(shape: tuple[int, ...], file_name: str) -> Tensor:
    return _numpy_hwc_rgb(shape, file_name).flip(0)


def _torch_chw_rgb(shape: tuple[int, ...], file_name: str) -> Tensor:
    del file_name
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def _sha256_chw_rgb(shape: tuple[int, ...], file_name: str) -> Tensor:
    digest = hashlib.sha256(file_name.split("_", maxsplit=1)[0].encode()).digest()
    seed = np.frombuffer(digest, dtype="<u4")
    return torch.from_numpy(np.random.RandomState(seed).standard_normal(shape))


NOISE_CONVENTIONS: dict[str, Callable[[tuple[int, ...], str], Tensor]] = {
    "numpy_hwc_rgb": _numpy_hwc_rgb,
    "numpy_hwc_bgr": _numpy_hwc_bgr,
    "torch_chw_rgb": _torch_chw_rgb,
    "sha256_chw_rgb": _sha256_chw_rgb,
}
"""Standard normal noise (C, H, W) from shape and file name, by the convention's name."""

DAMAGE = DrawnDamage(
    name="noise",
    help="white Gaussian noise; sigma on the 0-255 scale",
    settings=SETTINGS,
    apply=lambda image, values, generator: gaussian_noise(image, values["sigma"], generator),
    examples=examples("sigma", 10, 25, 50),
    aliases=("gaussian",),
)
