"""Plain words for tasks: what people see in a picture, and what they call the remedy."""

from __future__ import annotations

import difflib
from collections.abc import Collection

__all__ = ["plain_words", "suggest_task"]

_SEEN = {
    "photo": "noisy, blotchy or blocky photo of a phone or camera",
    "denoise": "grainy, colour",
    "denoise_gray": "grainy, black and white",
    "jpeg": "blocky, colour (JPEG)",
    "jpeg_gray": "blocky, black and white (JPEG)",
    "sr_x2": "too small",
    "sr_x4": "far too small",
    "photo_x2": "small and noisy",
    "photo_x4": "tiny and noisy",
    "demosaic": "raw sensor data",
    "deblur": "shaken",
    "derain": "streaks of rain",
    "weather": "falling snow",
    "lowlight": "too dark",
}

_MEANT = {
    "denoise": "noise noisy denoising denoiser grain grainy degrain gaussian speckle",
    "jpeg": "jpg blocky blocks artifact artifacts artefacts compression compressed dejpeg deblock",
    "sr_x2": "upscale upscaling upsample upres enlarge enlarging resize superres sr "
    "super_resolution superresolution small too_small x2 upscale2x",
    "sr_x4": "x4 upscale4x 4x",
    "deblur": "blur blurry unblur deblurring shaken shake motion sharpen sharp",
    "derain": "rain rainy deraining unrain",
    "weather": "snow snowy desnow desnowing",
    "lowlight": "dark too_dark night low_light brighten brighter light",
    "demosaic": "raw bayer mosaic demosaicking demosaicing debayer",
    "auto": "automatic best any choose enhance",
    "photo": "real phone camera clean restore",
}


def plain_words(task: str, title: str) -> str:
    """Describe the pictures that a task is for, in plain words.

    Args:
        task: Name of the task.
        title: Title, used if there are no plain words.
    """
    return _SEEN.get(task, title)


def suggest_task(word: str, known: Collection[str]) -> str | None:
    """The task that a word may mean; None if nothing is near.

    Args:
        word: Word as a person wrote it.
        known: Names of the tasks there are.
    """
    plain = word.strip().lower().replace("-", "_").replace(" ", "_")
    words = {one: task for task, text in _MEANT.items() for one in text.split() if task in known}
    if plain in words:
        return words[plain]
    near = difflib.get_close_matches(plain, [*known, *words], n=1)
    return words.get(near[0], near[0]) if near else None
