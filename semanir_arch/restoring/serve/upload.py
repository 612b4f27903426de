"""Files that strangers to this code send: what is refused before anything is decoded."""

from __future__ import annotations

import math
import re

from semanir_arch.data.files.bounds import LEAST_SIDE, read_size
from semanir_arch.utils.errors import InputError

__all__ = ["MAX_BYTES", "MAX_PIXELS", "check_size", "clean_name"]

MAX_BYTES = 64 * 2**20
"""Most bytes of a file."""

MAX_PIXELS = 24_000_000
"""Most pixels of a photo, and of its result."""

_LONGEST_NAME = 120


def clean_name(name: str) -> str:
    """A file name without folders and control characters, not too long; `photo` if none is left."""
    bare = re.sub(r"[\x00-\x1f\x7f]", "", re.split(r"[/\\]", name)[-1]).strip(". ")
    stem, dot, suffix = bare.rpartition(".")
    if len(bare) > _LONGEST_NAME and dot and len(suffix) < _LONGEST_NAME // 2:
        bare = stem[: _LONGEST_NAME - len(suffix) - 1] + dot + suffix
    return bare[:_LONGEST_NAME] or "photo"


def check_size(data: bytes, name: str, scale: int) -> tuple[int, int]:
    """Read height and width from the head of a file, and refuse photos that are too large.

    Args:
        data: The file.
        name: Name of the file in messages.
        scale: Factor by which the result is larger.

    Raises:
        ValueError: No image, or too large.
    """
    width, height = read_size(data, name)
    # a network pads narrow sides, and works on that too
    if math.prod(max(side, LEAST_SIDE) for side in (width, height)) * scale**2 > MAX_PIXELS:
        limit = MAX_PIXELS / 1e6
        allowed = f"{limit:g} megapixels"
        if scale > 1:
            allowed = f"{limit / scale**2:g} megapixels, because the result is {scale}x larger"
        if min(width, height) < LEAST_SIDE:
            allowed += f", where a side counts as {LEAST_SIDE} at least"
        raise InputError(
            f"{name} has {width} x {height} pixels; this page takes up to {allowed}. "
            "The command semanir-restore restores larger photos"
        )
    return height, width
