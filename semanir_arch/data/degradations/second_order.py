"""Damage of photographs from the internet: blur, resize, noise and compression, twice.

X. Wang et al., Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic Data,
arXiv 2107.10833. The order is fixed. Defaults are those of the paper and of the authors' option
file for x4 and x2; where they are ours, `SETTINGS` says so. BasicSR's version of it runs inside
the training step, on a GPU, with JPEG by differentiable arithmetic and a pool of former batches,
so that an interrupted training cannot be repeated. This one is a function of an image and a
generator.

Where it differs from the authors' code: JPEG is the real codec; exponents of generalized and
plateau kernels are uniform, as the paper says (the code draws half of them below 1); Poisson noise
has a fixed number of photons (see `noise_kinds`). The paper's target is sharpened; ours is the
clean image.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from semanir_arch.data.degradations.blur_kernels import gaussian_kernel, sinc_kernel
from semanir_arch.data.degradations.damage import Recipe, examples
from semanir_arch.data.degradations.declaration import (
    Chance,
    Declared,
    Number,
    Setting,
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
    rescale,
    to_levels,
)
from semanir_arch.data.degradations.resampling import resize

__all__ = ["SETTINGS", "second_order"]

Floats = NDArray[np.float32]

_PAPER = "Real-ESRGAN"
# of the gaussians: iso and aniso, generalized, plateau
_KERNELS = {
    "iso": 0.45,
    "aniso": 0.25,
    "generalized_iso": 0.12,
    "generalized_aniso": 0.03,
    "plateau_iso": 0.12,
    "plateau_aniso": 0.03,
}
_COLORINGS = {"color": 0.6, "gray": 0.4, "covariance": 0}
_PROFILES = {"generalized": "betag", "plateau": "betap"}
# below this side a sinc kernel keeps more frequencies
_SMALL_SINC = 13


def _stage(
    end: str,
    *,
    blur: float,
    sigma: tuple[float, float],
    directions: tuple[float, float, float],
    factors: tuple[float, float],
    noise: tuple[float, float],
    photons: tuple[float, float],
) -> dict[str, Setting]:
    """Settings of the first or the second stage; their names end with `end`."""
    up, down, keep = directions
    which = "second" if end else "first"
    settings: dict[str, Setting] = {
        "blur_prob": Chance(blur, f"share with blur in the {which} stage", _PAPER),
        "kernel_size": kernel_size(_PAPER),
        "kernels": Shares(_KERNELS, "Gaussian kernels", _PAPER),
        "sinc_prob": Chance(0.1, "share of sinc kernels instead of Gaussian ones", _PAPER),
        "blur_sigma": Number(list(sigma), 0.01, 20, "width in pixels", _PAPER),
        "betag": Number([0.5, 4], 0.1, 10, "exponent of generalized Gaussians", _PAPER),
        "betap": Number([1, 2], 0.1, 10, "exponent of plateaus", _PAPER),
        "resize": Shares({"up": up, "down": down, "keep": keep}, "directions of resizing", _PAPER),
        "resize_factor": Number(list(factors), 0.05, 4, "new size relative to the old one", _PAPER),
        "resize_modes": Shares(
            {"area": 1, "bilinear": 1, "bicubic": 1}, "interpolation methods", _PAPER
        ),
        "noise": Shares(
            {"gaussian": 0.5, "poisson": 0.5, "speckle": 0, "camera": 0, "none": 0},
            "kinds of noise",
            _PAPER,
        ),
        **noise_settings(noise, photons, _COLORINGS, _PAPER, _PAPER),
        "jpeg_prob": Chance(1, f"share with compression in the {which} stage", _PAPER),
        **compression_settings(_PAPER),
    }
    return {f"{name}{end}": setting for name, setting in settings.items()}


SETTINGS: Declared = {
    "strength": Number(1, 0, 1, "strength of all damage; 0 leaves only the resizing"),
    "first_prob": Chance(1, "share of pictures that pass the first stage"),
    **_stage(
        "",
        blur=1,
        sigma=(0.2, 3),
        directions=(0.2, 0.7, 0.1),
        factors=(0.15, 1.5),
        noise=(1, 30),
        photons=(0.05, 3),
    ),
    **_stage(
        "2",
        blur=0.8,
        sigma=(0.2, 1.5),
        directions=(0.3, 0.4, 0.3),
        factors=(0.3, 1.2),
        noise=(1, 25),
        photons=(0.05, 2.5),
    ),
    "sinc_cutoff": Number(
        [math.pi / 5, math.pi],
        0.1,
        math.pi,
        "cutoff of sinc kernels of 13 pixels or more, radians",
        _PAPER,
    ),
    "sinc_cutoff_small": Number(
        [math.pi / 3, math.pi], 0.1, math.pi, "cutoff of smaller sinc kernels, radians", _PAPER
    ),
    "final_sinc_prob": Chance(
        0.8, "share with a sinc filter before or after the last compression", _PAPER
    ),
    "final_sinc_first_prob": Chance(
        0.5, "share whose last resize and sinc filter precede compression", _PAPER
    ),
    **SHIFT,
}
"""Settings of `second_order`; those of the second stage end with 2."""


def second_order(image: Floats, scale: int, settings: Settings, rng: np.random.Generator) -> Floats:
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
    height, width = (length // scale for length in image.shape[:2])
    damaged = image
    if has_happened(settings["first_prob"], rng):
        damaged = _degrade_once(damaged, image.shape[:2], settings, "", strength, rng)
        damaged = _compress(damaged, settings, "", strength, rng)
    damaged = _degrade_once(damaged, (height, width), settings, "2", strength, rng)
    sinc = has_happened(settings["final_sinc_prob"], rng)
    if has_happened(settings["final_sinc_first_prob"], rng):
        damaged = _finish(damaged, height, width, sinc, settings, strength, rng)
        damaged = _compress(damaged, settings, "2", strength, rng)
    else:
        damaged = _compress(damaged, settings, "2", strength, rng)
        damaged = _finish(damaged, height, width, sinc, settings, strength, rng)
    return to_levels(damaged)


def draw_kernel(settings: Settings, end: str, strength: float, rng: np.random.Generator) -> Floats:
    """A random blur kernel of one stage.

    Args:
        settings: Settings, as for `second_order`.
        end: "" for the first stage, "2" for the second.
        strength: Factor of the widths, and of the distance of a cutoff from pi.
        rng: Source of randomness.
    """
    size = int(settings[f"kernel_size{end}"].sample(rng))
    if has_happened(settings[f"sinc_prob{end}"], rng):
        return _draw_sinc(size, settings, strength, rng)
    kind = pick(settings[f"kernels{end}"], rng)
    profile, _, form = kind.rpartition("_")
    widths = [settings[f"blur_sigma{end}"].sample(rng) for _ in range(2)]
    along, across = (max(0.01, strength * width) for width in widths)
    angle = rng.uniform(-math.pi, math.pi)
    exponent = settings[f"{_PROFILES[profile]}{end}"].sample(rng) if profile else 1.0
    return gaussian_kernel(
        size,
        along,
        None if form == "iso" else across,
        angle,
        profile=profile or "gaussian",
        shape=exponent,
    )


def _draw_sinc(size: int, settings: Settings, strength: float, rng: np.random.Generator) -> Floats:
    name = "sinc_cutoff_small" if size < _SMALL_SINC else "sinc_cutoff"
    cutoff = math.pi - strength * (math.pi - settings[name].sample(rng))
    return sinc_kernel(size, cutoff)


def _degrade_once(
    image: Floats,
    size: tuple[int, ...],
    settings: Settings,
    end: str,
    strength: float,
    rng: np.random.Generator,
) -> Floats:
    """Blur, resize and noise of one stage."""
    if has_happened(settings[f"blur_prob{end}"], rng) and strength > 0:
        image = correlate(image, draw_kernel(settings, end, strength, rng))
    image = rescale(
        image,
        (size[0], size[1]),
        settings[f"resize{end}"],
        settings[f"resize_factor{end}"],
        settings[f"resize_modes{end}"],
        strength,
        rng,
    )
    kind = pick(settings[f"noise{end}"], rng)
    if kind == "none":
        return image
    return add_noise(image, kind, settings, strength, rng, end)


def _compress(
    image: Floats, settings: Settings, end: str, strength: float, rng: np.random.Generator
) -> Floats:
    if not has_happened(settings[f"jpeg_prob{end}"], rng):
        return image
    shifted = end == "2" and has_happened(settings["shift_prob"], rng)
    return recompress(image, settings, strength, rng, end, shifted=shifted)


def _finish(
    image: Floats,
    height: int,
    width: int,
    sinc: bool,
    settings: Settings,
    strength: float,
    rng: np.random.Generator,
) -> Floats:
    """Resize to the size of the result, and ring."""
    image = resize(image, height, width, pick(settings["resize_modes2"], rng))
    if sinc and strength > 0:
        size = int(settings["kernel_size2"].sample(rng))
        # the paper draws the last cutoff from the narrow range whatever the size
        cutoff = settings["sinc_cutoff_small"].sample(rng)
        image = correlate(image, sinc_kernel(size, math.pi - strength * (math.pi - cutoff)))
    return image


DAMAGE = Recipe(
    name="second_order",
    help="blur, resizing, noise and compression, twice, as Real-ESRGAN; 8 bit",
    settings=SETTINGS,
    apply=lambda image, values, rng: (second_order(image, values["scale"], values, rng), image),
    scales=(1, 2, 3, 4),
    examples=examples("strength", 0.25, 0.5, 1),
)
