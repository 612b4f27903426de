"""The tasks for which the package ships, or can train, a network."""

from __future__ import annotations

from dataclasses import dataclass

from semanir_arch.utils.errors import InputError, InputTypeError
from semanir_arch.weights.words import suggest_task

__all__ = ["TASKS", "Task", "get_task"]


@dataclass(frozen=True)
class Task:
    """Task of one network.

    Args:
        name: The word that commands take.
        title: Title in one line.
        input: Condition that an image must meet so that the network helps.
        channels: Number of channels that the network sees: 1 for gray, 3 for RGB.
        scale: Factor by which the result is larger.
        strength: Damage strength that the network is blind to ("sigma", "quality"), or None.
        levels: Lowest and highest strength that it was trained for; None without strength.
        demonstration: Whether it was trained on synthetic damage only, to show the task rather
            than to compete.
    """

    name: str
    title: str
    input: str
    channels: int = 3
    scale: int = 1
    strength: str | None = None
    levels: tuple[float, float] | None = None
    demonstration: bool = False


_NOISE = "Gaussian noise of a standard deviation from 0 to 50 on the 0-255 scale, unknown to it"
_PHOTO = "a small, soft, noisy or compressed photo, or a clean one; what is wrong is unknown to it"
_JPEG = "artifacts of JPEG compression at a quality from 10 to 90, unknown to it"

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task("denoise", "Colour denoising", _NOISE, strength="sigma", levels=(0, 50)),
        Task(
            "denoise_gray", "Gray denoising", _NOISE, channels=1, strength="sigma", levels=(0, 50)
        ),
        Task(
            "photo",
            "Cleaning of real photographs",
            "a photo as a camera, phone or web page gives it: noise of any kind, JPEG or WebP, "
            "or nothing",
        ),
        Task("jpeg", "Colour JPEG artifact removal", _JPEG, strength="quality", levels=(10, 90)),
        Task(
            "jpeg_gray",
            "Gray JPEG artifact removal",
            _JPEG,
            channels=1,
            strength="quality",
            levels=(10, 90),
        ),
        Task(
            "sr_x2", "Enlargement to twice the size", "a clean, bicubically reduced image", scale=2
        ),
        Task(
            "sr_x4",
            "Enlargement to four times the size",
            "a clean, bicubically reduced image",
            scale=4,
        ),
        Task("photo_x2", "Real photographs at twice the size", _PHOTO, scale=2),
        Task("photo_x4", "Real photographs at four times the size", _PHOTO, scale=4),
        Task(
            "demosaic",
            "Demosaicking",
            "a Bayer mosaic without noise, interpolated linearly (data.bayer)",
        ),
        Task(
            "deblur",
            "Motion deblurring",
            "camera motion of 3 to 30 pixels with little noise, as PhotographicBlurDataset makes",
            demonstration=True,
        ),
        Task(
            "derain",
            "Rain streak removal",
            "bright, thin streaks of one direction, as SyntheticRainDataset makes",
            demonstration=True,
        ),
        Task(
            "weather",
            "Snow removal",
            "falling flakes, as SyntheticSnowDataset makes; not trained on rain or drops",
            demonstration=True,
        ),
        Task(
            "lowlight",
            "Low-light enhancement",
            "a dark, slightly noisy photo, as SyntheticLowLightDataset makes",
            demonstration=True,
        ),
    )
}
"""All tasks by name, in the order in which lists show them."""

ALIASES = {"denoise_color": "denoise", "jpeg_color": "jpeg"}
"""Other names, which say in full what the networks for colour are for."""


def get_task(name: str) -> Task:
    """Look a task up by its name or another one of `ALIASES`.

    Raises:
        TypeError: The name is no text.
        ValueError: There is none of that name; names those that exist.
    """
    if not isinstance(name, str):
        raise InputTypeError(f"task={name!r}: {type(name).__name__}; the name of a task is needed")
    name = ALIASES.get(name, name)
    if name not in TASKS:
        close = suggest_task(name, [*TASKS, "auto"])
        hint = f"; did you mean {close!r}?" if close else ""
        raise InputError(f"task {name!r} is unknown; available: {', '.join(TASKS)}{hint}")
    return TASKS[name]
