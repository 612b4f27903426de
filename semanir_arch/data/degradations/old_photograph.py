"""Damage of old photographs and prints: fading, tone, grain, paper, scratches, dust and halftone.

A demonstration, in the spirit of Z. Wan et al., Bringing Old Photos Back to Life, arXiv 2004.09484,
who mix film noise, blur and the textures of scratched paper; all forms and ranges here are ours.
Where scratches and dust are is known: `age` returns it.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from semanir_arch.data.degradations.blur_kernels import gaussian_kernel
from semanir_arch.data.degradations.damage import PreviewRow, Recipe
from semanir_arch.data.degradations.declaration import (
    Chance,
    Declared,
    Number,
    Settings,
    Shares,
    pick,
)
from semanir_arch.data.degradations.random_steps import (
    ONE_JPEG,
    correlate,
    has_happened,
    recompress,
    to_levels,
)
from semanir_arch.data.degradations.scratches import draw_dust, draw_scratches

__all__ = ["SETTINGS", "age", "fade", "grain", "halftone", "tone"]

Floats = NDArray[np.float32]

SETTINGS: Declared = {
    "tones": Shares({"color": 0.3, "sepia": 0.4, "gray": 0.3}, "colors that are left"),
    "fading": Number([0.1, 0.6], 0, 1, "share of the contrast that is lost"),
    "softness": Number([0.3, 1.5], 0.05, 8, "width of a Gaussian blur in pixels"),
    "grain": Number([2, 12], 0, 100, "standard deviation at middle gray, 0-255 scale"),
    "grain_size": Number([0.5, 1.5], 0.05, 8, "width of a grain in pixels"),
    "paper": Number([0, 6], 0, 100, "standard deviation of the paper's texture, 0-255 scale"),
    "scratches": Number([0, 5], 0, 200, "scratches per 65,536 pixels"),
    "dust": Number([0, 15], 0, 1000, "specks per 65,536 pixels"),
    "halftone_prob": Chance(0.1, "share of prints instead of photographs"),
    "halftone_pitch": Number([3, 6], 2, 32, "distance between the print's dots in pixels"),
    "jpeg_prob": Chance(0.5, "share compressed after scanning"),
    "jpeg_quality": Number([60, 95], 1, 100, "1 (worst) to 100", whole=True),
}
"""Settings of `age`."""

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
# brightest and darkest point of paper whose picture has gone
_FADED_BLACK, _FADED_WHITE = 0.35, 0.9
# color of a sepia print in relation to its luma
_SEPIA = np.array([1.07, 0.99, 0.78], np.float32)
# angles of the dots of cyan, magenta and yellow, and of black alone, in degrees
_COLOR_ANGLES, _GRAY_ANGLE = (15.0, 75.0, 0.0), 45.0
# how soft the edge of a dot is, in parts of the range of ink
_SOFT_EDGE = 0.12
# widths of the textures of paper in pixels
_TEXTURES = (1.0, 4.0, 16.0)


def age(
    image: Floats, settings: Settings, rng: np.random.Generator
) -> tuple[Floats, Floats, Floats]:
    """Let a clean picture become an old one.

    Args:
        image: (H, W, C) float32 in [0, 1], gray or RGB.
        settings: Result of `parse_settings(SETTINGS, ...)`.
        rng: Source of randomness.

    Returns:
        The old picture, (H, W, C) float32 in [0, 1] on 8-bit levels; the picture that can be
        expected back: gray where the colors are gone; and (H, W, 1) float32 in [0, 1], where
        scratches and dust are.
    """
    kind = pick(settings["tones"], rng) if image.shape[2] == 3 else "color"
    target = image if kind == "color" else _gray(image)
    old = correlate(target, gaussian_kernel(15, settings["softness"].sample(rng)))
    is_print = has_happened(settings["halftone_prob"], rng)
    pitch = settings["halftone_pitch"].sample(rng)
    strength, size = settings["grain"].sample(rng), settings["grain_size"].sample(rng)
    old = halftone(old, pitch, rng) if is_print else grain(old, strength, size, kind, rng)
    old = fade(tone(old, kind), settings["fading"].sample(rng))
    old = _on_paper(old, settings["paper"].sample(rng), rng)
    area = image.shape[0] * image.shape[1] / 65536
    old, scratched = draw_scratches(old, settings["scratches"].sample(rng) * area, rng)
    old, dusty = draw_dust(old, settings["dust"].sample(rng) * area, rng)
    if has_happened(settings["jpeg_prob"], rng):
        old = recompress(old, {"jpeg_quality": settings["jpeg_quality"], **ONE_JPEG}, 1, rng)
    return to_levels(old), target, np.maximum(scratched, dusty)


def tone(image: Floats, kind: str) -> Floats:
    """Give a gray picture the brown of old prints.

    Args:
        image: (H, W, C) float32 in [0, 1].
        kind: "sepia"; anything else leaves the picture as it is.
    """
    if kind != "sepia" or image.shape[2] != 3:
        return image
    return np.clip(image * _SEPIA, 0, 1)


def fade(image: Floats, part: float) -> Floats:
    """Take away contrast: black and white both move towards the tone of the paper.

    Args:
        image: (H, W, C) float32 in [0, 1].
        part: Share of the contrast that is lost where fading is complete, 0 to 1.

    Returns:
        (H, W, C) float32 in [0, 1], a linear function of the image.
    """
    low = part * _FADED_BLACK
    high = 1 - part * (1 - _FADED_WHITE)
    return image * np.float32(high - low) + np.float32(low)


def grain(
    image: Floats, strength: float, size: float, kind: str, rng: np.random.Generator
) -> Floats:
    """Add the grain of film: strongest at middle gray, correlated over the size of a grain.

    Args:
        image: (H, W, C) float32 in [0, 1].
        strength: Standard deviation at middle gray, 0-255 scale.
        size: Width of a grain in pixels.
        kind: "color": each dye has its own grain; otherwise one for all channels.
        rng: Source of randomness.

    Returns:
        (H, W, C) float32 in [0, 1].
    """
    channels = image.shape[2] if kind == "color" else 1
    noise = _texture((*image.shape[:2], channels), size, rng)
    amount = 2 * np.sqrt(np.clip(image * (1 - image), 0, None))
    return np.clip(image + np.float32(strength / 255) * amount * noise, 0, 1)


def halftone(image: Floats, pitch: float, rng: np.random.Generator) -> Floats:
    """Print with dots of ink, whose area is the tone.

    Args:
        image: (H, W, C) float32 in [0, 1].
        pitch: Pixels between the centres of the dots, 2 or more.
        rng: Source of randomness; draws where the screens begin.

    Returns:
        (H, W, C) float32 in [0, 1], of nearly the same local mean.
    """
    # three equal channels are printed with black ink alone
    gray = bool((image[..., :1] == image).all())
    plates = image[..., :1] if gray else image
    angles = (_GRAY_ANGLE,) if gray else _COLOR_ANGLES
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    printed = np.empty_like(plates)
    for channel, angle in zip(range(plates.shape[2]), angles, strict=True):
        radians, phases = math.radians(angle), rng.uniform(0, 2 * math.pi, 2)
        along = math.cos(radians) * columns + math.sin(radians) * rows
        across = math.cos(radians) * rows - math.sin(radians) * columns
        waves = [
            np.cos(2 * math.pi / pitch * position + phase)
            for position, phase in ((along, phases[0]), (across, phases[1]))
        ]
        threshold = _even_shares(waves[0] + waves[1])
        ink = 1 - plates[..., channel]
        # narrower where there is little ink or little paper, which would else not keep the tone
        edge = np.clip(2 * np.minimum(ink, 1 - ink), 1e-3, _SOFT_EDGE)
        printed[..., channel] = 1 - np.clip((ink - threshold) / edge + 0.5, 0, 1)
    return np.broadcast_to(printed, image.shape).astype(np.float32)


def _even_shares(values: Floats) -> Floats:
    """The sum of two cosines as the share of its period that lies below, in [0, 1]."""
    steps = np.cos((np.arange(256) + 0.5) * (math.pi / 256))
    sums = np.sort((steps[:, None] + steps).ravel())[::64]
    return np.interp(values, sums, np.linspace(0, 1, len(sums))).astype(np.float32)


def _gray(image: Floats) -> Floats:
    luma = image @ _LUMA
    return np.repeat(luma[..., None], 3, axis=2)


def _on_paper(image: Floats, strength: float, rng: np.random.Generator) -> Floats:
    """Multiply by the texture of paper, which is of several sizes."""
    layers = [_texture((*image.shape[:2], 1), size, rng) for size in _TEXTURES]
    texture = sum(layers[1:], layers[0]) / np.float32(math.sqrt(len(layers)))
    return np.clip(image * (1 + np.float32(strength / 255) * texture), 0, 1)


def _texture(shape: tuple[int, ...], size: float, rng: np.random.Generator) -> Floats:
    """Gaussian noise of standard deviation 1, correlated over `size` pixels."""
    noise = rng.standard_normal(shape, np.float32)
    blurred = cv2.GaussianBlur(noise, (0, 0), size, borderType=cv2.BORDER_REFLECT_101)
    # by the kernel, not by the picture, so that flat pictures have what they should
    side = 2 * round(4 * size) + 1
    row = cv2.getGaussianKernel(side, size)
    gain = float((row**2).sum())
    return np.asarray(blurred, np.float32).reshape(shape) / np.float32(gain)


_PHOTOGRAPH = {"halftone_prob": 0, "fading": 0.1}

DAMAGE = Recipe(
    name="old_photograph",
    help="fading, tone, grain, paper, scratches, dust or halftone of old pictures; 8 bit",
    settings=SETTINGS,
    apply=lambda image, values, rng: age(image, values, rng)[:2],
    examples=(
        PreviewRow("lightly", {**_PHOTOGRAPH, "grain": 4, "scratches": 0, "dust": 3}),
        PreviewRow("badly", {**_PHOTOGRAPH, "fading": 0.6, "scratches": 5, "dust": 15}),
        PreviewRow("sepia", {**_PHOTOGRAPH, "tones": {"sepia": 1}, "fading": 0.4}),
        PreviewRow("halftone", {"tones": {"color": 1}, "halftone_prob": 1}),
    ),
)
