"""Blur of real exposures: a moving, turning or unfocused camera, and what the sensor adds.

A sensor adds up light while the shutter is open. So pictures are averaged in light, over positions
of the camera (S. Nah et al., GoPro, arXiv 1612.02177, average frames), and not in stored values.
What J. Rim et al., Realistic Blur Synthesis for Learning Image Deblurring, arXiv 2202.08771, found
to matter is here too: saturated highlights are brighter than white, so that their traces stay
bright, and noise and compression come after the blur. All defaults are ours.

There is no depth: what differs locally is a smooth random field. A demonstration; real pairs are
better where there are any.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from semanir_arch.data.degradations.damage import Recipe, examples
from semanir_arch.data.degradations.declaration import (
    Chance,
    Choice,
    Declared,
    Number,
    Settings,
    Shares,
    pick,
)
from semanir_arch.data.degradations.defocus import disc_kernel
from semanir_arch.data.degradations.filtering import GAMMA
from semanir_arch.data.degradations.motion import trajectory
from semanir_arch.data.degradations.random_steps import (
    ONE_JPEG,
    correlate,
    has_happened,
    recompress,
    to_levels,
)
from semanir_arch.data.randomness import torch_generator

__all__ = ["SETTINGS", "defocus", "expose", "move", "photographic_blur", "smooth_field"]

Floats = NDArray[np.float32]
Path = NDArray[np.complex128]

SETTINGS: Declared = {
    "blur": Shares({"motion": 0.65, "defocus": 0.15, "both": 0.1, "none": 0.1}, "kinds of blur"),
    "length": Number([0, 24], 0, 64, "length of the camera's path in pixels"),
    "shake": Number([0, 0.6], 0, 1, "from 0 (straight) to 1 (trembling)"),
    "rotation": Number([0, 0.5], 0, 10, "rotation of the camera during the exposure, in degrees"),
    "variation": Number([0, 0.3], 0, 1, "local variation of motion or defocus, as a share of it"),
    "center": Choice(
        "extent",
        ("extent", "time"),
        "position of the sharp picture: middle of the path, or of time",
    ),
    "radius": Number([0.5, 4], 0, 32, "radius of the defocus disc in pixels"),
    "highlights": Number([1, 4], 1, 100, "brightness of saturated places, relative to white"),
    "noise_prob": Chance(0.5, "share of pictures with sensor noise"),
    "electrons": Number([2000, 50000], 1, 1e6, "electrons counted at white"),
    "read_noise": Number([1, 10], 0, 1000, "standard deviation in electrons"),
    "jpeg_prob": Chance(0.3, "compression"),
    "jpeg_quality": Number([70, 98], 1, 100, "1 (worst) to 100", whole=True),
}
"""Settings of `photographic_blur`."""

# values from which a place counts as saturated, and is fully so
_SATURATED = (0.94, 0.99)
# grid of the smooth field, in points per side
_GRID = 4
_MOST_POSITIONS = 64


def photographic_blur(image: Floats, settings: Settings, rng: np.random.Generator) -> Floats:
    """Photograph a sharp picture with a moving or unfocused camera.

    Args:
        image: (H, W, C) float32 in [0, 1], gray or RGB, sharp.
        settings: Result of `parse_settings(SETTINGS, ...)`.
        rng: Source of randomness.

    Returns:
        (H, W, C) float32 in [0, 1], on 8-bit levels.
    """
    kind = pick(settings["blur"], rng)
    light = _with_highlights(image, settings["highlights"].sample(rng))
    field = 1 + settings["variation"].sample(rng) * smooth_field(image.shape[:2], rng)
    length, shake = settings["length"].sample(rng), settings["shake"].sample(rng)
    rotation, radius = settings["rotation"].sample(rng), settings["radius"].sample(rng)
    if kind in ("motion", "both"):
        path, angles = draw_motion(length, shake, rotation, settings["center"], rng)
        light = move(light, path, angles, field, rng)
    if kind in ("defocus", "both"):
        light = defocus(light, radius, field)
    if has_happened(settings["noise_prob"], rng):
        electrons = settings["electrons"].sample(rng)
        light = expose(light, electrons, settings["read_noise"].sample(rng), rng)
    result = np.clip(light, 0, 1) ** np.float32(1 / GAMMA)
    if has_happened(settings["jpeg_prob"], rng):
        result = recompress(result, {"jpeg_quality": settings["jpeg_quality"], **ONE_JPEG}, 1, rng)
    return to_levels(result)


def draw_motion(
    length: float, shake: float, rotation: float, center: str, rng: np.random.Generator
) -> tuple[Path, NDArray[np.float64]]:
    """Positions and angles of a camera at equal intervals of time.

    Args:
        length: Length of the path in pixels, 0 or more.
        shake: Amount of shake: 0 for a straight line, 1 for a trembling hand.
        rotation: Difference between the largest and the smallest angle in degrees.
        center: "extent" puts the middle of the path's extent at 0, "time" its place in the middle
            of the exposure.
        rng: Source of randomness.

    Returns:
        Positions in the complex plane in pixels, real to the right, imaginary down; and angles in
        radians. Neighboring positions are about a pixel apart.
    """
    trace, turn = (trajectory(shake, torch_generator(rng)) for _ in range(2))
    trace = trace * (length / np.abs(np.diff(trace)).sum())
    count = min(_MOST_POSITIONS, 2 * math.ceil(max(length, 1) / 2) + 1)
    steps = np.linspace(0, len(trace) - 1, count).round().astype(int)
    path, angles = trace[steps], turn.real[steps]
    angles = angles * (math.radians(rotation) / max(np.ptp(angles), 1e-9))
    if center == "time":
        return path - path[count // 2], angles - angles[count // 2]
    middle = complex(_middle(path.real), _middle(path.imag))
    return path - middle, angles - _middle(angles)


def move(
    light: Floats,
    path: Path,
    angles: NDArray[np.float64],
    field: Floats,
    rng: np.random.Generator,
) -> Floats:
    """Average a picture over positions of the camera.

    Args:
        light: (H, W, C) float32, amounts of light.
        path: Positions in pixels, as `draw_motion` gives them.
        angles: Angles in radians, one for each position.
        field: (H, W), factor of the positions at every place.
        rng: Source of randomness; draws the point that stays in place while the camera turns.

    Returns:
        (H, W, C) float32. Beyond the border the picture is mirrored.
    """
    height, width = light.shape[:2]
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    # away from the patch too, since a patch is part of a picture
    row, column = (length * rng.uniform(-1, 2) for length in (height, width))
    total = np.zeros_like(light)
    for position, angle in zip(path, angles, strict=True):
        down, right = rows - row, columns - column
        across = field * position.real + (math.cos(angle) - 1) * right - math.sin(angle) * down
        below = field * position.imag + math.sin(angle) * right + (math.cos(angle) - 1) * down
        moved = cv2.remap(
            light,
            (columns + across).astype(np.float32),
            (rows + below).astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        total += np.asarray(moved, np.float32).reshape(light.shape)
    return total / np.float32(len(path))


def defocus(light: Floats, radius: float, field: Floats) -> Floats:
    """Blur by discs, whose radius differs locally.

    Args:
        light: (H, W, C) float32.
        radius: Radius in pixels where the field is 1, 0 to 32.
        field: (H, W), factor of the radius. Between the smallest and the largest disc, pictures
            are mixed.

    Returns:
        (H, W, C) float32.
    """
    low, high = float(field.min()), float(field.max())
    small = correlate(light, disc_kernel(min(32, radius * low)))
    if high - low < 1e-6:
        return small
    large = correlate(light, disc_kernel(min(32, radius * high)))
    share = ((field - low) / (high - low))[..., None]
    return small + share.astype(np.float32) * (large - small)


def expose(light: Floats, electrons: float, read_noise: float, rng: np.random.Generator) -> Floats:
    """Count electrons: shot noise and read noise.

    Shot noise is Gaussian with the variance of Poisson noise (A. Foi et al., IEEE TIP 17(10),
    2008): with thousands of electrons at white nobody sees the difference.

    Args:
        light: (H, W, C) float32, white is 1; brighter places are counted up to the clipping.
        electrons: Electrons counted at white.
        read_noise: Standard deviation in electrons.
        rng: Source of randomness.

    Returns:
        (H, W, C) float32, not clipped.
    """
    variance = np.maximum(light, 0) / electrons + (read_noise / electrons) ** 2
    noise = rng.standard_normal(light.shape, np.float32)
    return light + np.sqrt(variance).astype(np.float32) * noise


def smooth_field(size: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """A random field that varies over a third of the picture, in [-1, 1].

    Args:
        size: Height and width.
        rng: Source of randomness.
    """
    grid = rng.uniform(-1, 1, (_GRID, _GRID)).astype(np.float32)
    field = cv2.resize(grid, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)
    return np.clip(field, -1, 1).astype(np.float32)


def _with_highlights(image: Floats, brightness: float) -> Floats:
    """Amounts of light, in which saturated places are brighter than white."""
    light = np.clip(image, 0, 1) ** np.float32(GAMMA)
    low, high = _SATURATED
    brightest = np.maximum.reduce([image[..., channel] for channel in range(image.shape[2])])
    share = np.clip((brightest - low) / (high - low), 0, 1)[..., None]
    return light * (1 + np.float32(brightness - 1) * share)


def _middle(values: NDArray[np.float64]) -> float:
    return float(values.min() + values.max()) / 2


DAMAGE = Recipe(
    name="photographic_blur",
    help="a camera that moves, turns or is not focused, noise and compression; 8 bit",
    settings=SETTINGS,
    apply=lambda image, values, rng: (photographic_blur(image, values, rng), image),
    surroundings=28,
    examples=(
        *examples("length", 4, 12, 24, blur={"motion": 1}),
        *examples("radius", 1, 4, blur={"defocus": 1}),
    ),
)
