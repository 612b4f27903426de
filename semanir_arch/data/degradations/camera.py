"""A camera: from light to a file, with the noise that this makes.

Noise of real pictures is neither white nor Gaussian: it is made in the sensor, and then spread by
demosaicking, color, tone curve, noise reduction, sharpening, resizing and compression. Measured on
real pairs, that spreading matters more than the noise's dependence on brightness.

A `Camera` holds everything that was drawn. `photograph` applies it to a picture, with noise or
without, so that a network is not asked to undo what the camera did to the scene.

The steps, in this order: inverse tone curve, gamma, color matrix and white balance
(`camera_color`); mosaic (`bayer`); shot, read, row and fixed-pattern noise, clipping
(`camera_noise`); white balance; demosaicking (`demosaicking`, `bayer`); a blur in linear
light; color matrix, gamma and tone curve; reduction of chroma and luma noise, sharpening
(`camera_finish`); resizing and compression (`sharing`). The sources stand there. Ranges and shares
are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from semanir_arch.data.degradations.bayer import PHASES, mosaic
from semanir_arch.data.degradations.camera_color import (
    Look,
    from_sensor,
    neutral_matrix,
    to_sensor,
)
from semanir_arch.data.degradations.camera_finish import (
    SHARPENING,
    sharpen,
    smooth,
    smooth_chroma,
    smooth_luma,
)
from semanir_arch.data.degradations.camera_noise import SensorNoise, read_noise_of, sensor_noise
from semanir_arch.data.degradations.damage import PreviewRow, Recipe, examples
from semanir_arch.data.degradations.declaration import (
    Chance,
    Declared,
    Draws,
    Number,
    Settings,
    Shares,
    parse_settings,
    pick,
)
from semanir_arch.data.degradations.demosaicking import METHODS
from semanir_arch.data.degradations.sharing import NOTHING, Sharing, draw_sharing, share
from semanir_arch.data.degradations.sharing import SETTINGS as SHARING
from semanir_arch.utils.errors import InputError

__all__ = ["SETTINGS", "Camera", "camera_noise", "draw_camera", "photograph", "taken_by_camera"]

Pixels = NDArray[np.float32]

SETTINGS: Declared = {
    "curve_prob": Chance(0.5, "share of cameras with a contrast curve"),
    "gamma": Number([1.9, 2.5], 1, 3, "exponent from stored values to linear light"),
    "balance_red": Number([1.2, 2.5], 1, 4, "white balance gain of red"),
    "balance_blue": Number([1.2, 2.5], 1, 4, "white balance gain of blue"),
    "crosstalk": Number([-0.5, 0.1], -0.6, 0.3, "off-diagonal elements of the color matrix"),
    "exposure": Number([0.5, 1], 0.05, 1, "share of the sensor's range that is used"),
    "gain": Number([5e-5, 1.2e-2], 0, 0.1, "variance of shot noise at white", log=True),
    "read_deviation": Number(
        [-0.8, 0.8], -4, 4, "deviation of the read noise's log variance from the usual value"
    ),
    "row_prob": Chance(0.15, "share of cameras with row noise"),
    "row": Number([0.2, 1], 0, 10, "standard deviation of row noise, relative to read noise"),
    "column_prob": Chance(0.05, "share of cameras with a fixed column pattern"),
    "column": Number([0.2, 1], 0, 10, "standard deviation of the pattern, relative to read noise"),
    "spread_prob": Chance(0.05, "share of cameras whose pixels differ in sensitivity"),
    "spread": Number([0.002, 0.02], 0, 0.5, "relative standard deviation of the sensitivity"),
    "clip_prob": Chance(0.2, "share of cameras that clip noise below black"),
    "demosaicking": Shares(
        {"bilinear": 0.3, "edges": 0.35, "linear": 0.35}, "demosaicking methods"
    ),
    "blur_prob": Chance(0.5, "share of cameras that blur after demosaicking"),
    "blur": Number([0.3, 0.85], 0, 8, "standard deviation of this blur, in pixels"),
    "chroma_prob": Chance(0.65, "share of cameras that smooth color"),
    "chroma": Number([0.5, 3.5], 0, 16, "standard deviation of the smoothing, in pixels"),
    "luma_prob": Chance(0.3, "share of cameras that smooth brightness, keeping edges"),
    "luma": Number([0.01, 0.08], 0, 1, "contrast up to which it smooths, as a share of white"),
    **SHARPENING,
    **SHARING,
}
"""Everything that `draw_camera` draws."""

_ALONE = parse_settings(SETTINGS, {"resize_prob": 0, "codec_prob": 0, "again_prob": 0})
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_SMALLEST = 3


@dataclass(frozen=True)
class Camera:
    """One camera and how its picture is passed on; 0 leaves a step out.

    Args:
        look: Conversion from light to stored colors.
        phase: Phase of the color filter, one of `bayer.PHASES`.
        noise: Noise of the sensor.
        demosaicking: Demosaicking method, one of `demosaicking.METHODS`.
        blur: Standard deviation in pixels, in linear light.
        chroma: Standard deviation of the smoothing of color, in pixels.
        luma: Contrast up to which brightness is smoothed.
        sharpening: Amount, and standard deviation in pixels.
        sharing: Resizing and compression of the finished picture.
    """

    look: Look
    phase: str
    noise: SensorNoise
    demosaicking: str = "linear"
    blur: float = 0.0
    chroma: float = 0.0
    luma: float = 0.0
    sharpening: tuple[float, float] = (0.0, 1.0)
    sharing: Sharing = NOTHING


def draw_camera(settings: Settings, rng: np.random.Generator) -> Camera:
    """Draw a camera.

    Args:
        settings: Values of `SETTINGS`, from `parse_settings`.
        rng: Source of randomness.
    """
    draws = Draws(settings, rng)
    look = Look(
        gains=(draws.value("balance_red"), draws.value("balance_blue")),
        matrix=neutral_matrix(np.array([draws.value("crosstalk") for _ in range(6)])),
        exposure=draws.value("exposure"),
        gamma=draws.value("gamma"),
        has_curve=draws.happens("curve_prob"),
    )
    gain, deviation = draws.value("gain"), draws.value("read_deviation")
    read = read_noise_of(gain, deviation) if gain else 0.0
    noise = SensorNoise(
        gain,
        read,
        row=read * draws.maybe("row"),
        column=read * draws.maybe("column"),
        spread=draws.maybe("spread"),
        is_clipped=draws.happens("clip_prob"),
    )
    return Camera(
        look,
        PHASES[rng.integers(len(PHASES))],
        noise,
        pick(settings["demosaicking"], rng),
        draws.maybe("blur"),
        draws.maybe("chroma"),
        draws.maybe("luma"),
        (draws.maybe("sharpen"), draws.value("sharpen_sigma")),
        draw_sharing(settings, rng),
    )


def photograph(image: Pixels, camera: Camera, rng: np.random.Generator | None) -> Pixels:
    """Take a picture of a picture.

    Args:
        image: (H, W, 3) RGB float32, range [0, 1]: the scene, without noise; sides of 3 or more.
        camera: Camera that takes the picture.
        rng: Source of the noise. None for what the camera would have made without noise, and
            without compression: the target of a training.

    Returns:
        (H', W', 3) RGB float32 in [0, 1]; with noise in steps of 8 bits. The size is that of
        `image`, but for what `camera.sharing` changes; it does not depend on `rng`.
    """
    plane = _record(to_sensor(image, camera.look), camera)
    if rng is not None:
        plane = sensor_noise(plane, camera.noise, rng)
    return share(_develop(plane, camera), camera.sharing, is_lossy=rng is not None)


def taken_by_camera(image: Pixels, settings: Settings, rng: np.random.Generator) -> Pixels:
    """The picture as a drawn camera takes it.

    Args:
        image: (H, W, 3) RGB float32, range [0, 1].
        settings: Values of `SETTINGS`, from `parse_settings`. With `resize_prob` or `again_prob`
            above 0 the size may change.
        rng: Source of randomness.

    Returns:
        Picture as `photograph` returns it.

    Raises:
        ValueError: The image is gray.
    """
    if image.shape[-1] != 3:
        raise InputError("a camera takes pictures in color, received a gray one")
    return photograph(image, draw_camera(settings, rng), rng)


def camera_noise(
    image: Pixels, strength: float, rng: np.random.Generator, settings: Settings = _ALONE
) -> Pixels:
    """The picture as a drawn camera takes it, as one step among other damage.

    Args:
        image: (H, W, C) float32, range [0, 1], gray or RGB, of any size. A gray picture is taken in
            color, and its brightness kept.
        strength: Share of what the camera changes: 1 for all of it, 0 for nothing.
        rng: Source of randomness.
        settings: Values of `SETTINGS`, from `parse_settings`, without resizing. By default the
            picture is neither resized nor compressed, which other steps do.

    Returns:
        (H, W, C) float32 in [0, 1].
    """
    height, width, channels = image.shape
    # of less than that no colors can be made
    missing = [(0, max(0, _SMALLEST - side)) for side in (height, width)]
    scene = np.pad(image, (*missing, (0, 0)), mode="edge")
    scene = np.repeat(scene, 3, axis=2) if channels == 1 else scene
    taken = taken_by_camera(scene, settings, rng)[:height, :width]
    if channels == 1:
        taken = (taken @ _LUMA)[..., None]
    return image + np.float32(strength) * (taken - image)


def _record(light: Pixels, camera: Camera) -> Pixels:
    planes = torch.from_numpy(np.ascontiguousarray(light.transpose(2, 0, 1)))
    return mosaic(planes, camera.phase)[0].numpy()


def _develop(plane: Pixels, camera: Camera) -> Pixels:
    """Develop a mosaic to a finished picture."""
    balance = torch.from_numpy(camera.look.balance / np.float32(camera.look.exposure))
    factors = mosaic(balance.reshape(3, 1, 1).expand(3, *plane.shape), camera.phase)
    balanced = torch.from_numpy(plane)[None] * factors
    planes = METHODS[camera.demosaicking](balanced, camera.phase).numpy()
    light = smooth(np.ascontiguousarray(planes.transpose(1, 2, 0)), camera.blur)
    image = from_sensor(light, camera.look)
    image = smooth_luma(smooth_chroma(image, camera.chroma), camera.luma)
    return sharpen(image, *camera.sharpening).clip(0, 1)


# a damaged file should fit its clean one, unless the user asks for more
_OF_FILES: Declared = {
    **SETTINGS,
    "resize_prob": Chance(0, SETTINGS["resize_prob"].help),
    "again_prob": Chance(0, SETTINGS["again_prob"].help),
}
_SHARED = {"chroma_prob": 1, "luma_prob": 1, "sharpen_prob": 1, "low_prob": 1, "codec_prob": 1}

DAMAGE = Recipe(
    name="camera",
    help="noise, processing and file of a camera; 8 bit",
    settings=_OF_FILES,
    apply=lambda image, values, rng: (taken_by_camera(image, values, rng), image),
    examples=(
        *examples("gain", 2e-4, 1e-3, 5e-3),
        PreviewRow("gain 0.002, shared by a phone", {"gain": 2e-3, **_SHARED}),
    ),
)
