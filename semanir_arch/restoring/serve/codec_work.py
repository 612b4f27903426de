"""What the child of `codec` does: it answers until its parent is gone."""

from __future__ import annotations

import os
import pickle
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from semanir_arch.data.files.image_encoding import encode_image
from semanir_arch.data.files.image_io import Image, decode_image
from semanir_arch.restoring.diagnosis import Diagnosis, diagnose_data
from semanir_arch.utils.errors import InputError

__all__ = ["answer"]

_PREVIEW_SIDE = 1600
"""Side in pixels of the picture of a photo that the browser cannot show itself."""


def answer(memory: int) -> None:
    """Answer requests from stdin on stdout.

    Args:
        memory: Bytes of addresses that this process may have.
    """
    _limit(memory)
    warnings.simplefilter("ignore")
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    # what a library prints must not stand among the answers
    os.dup2(2, 1)
    # Ctrl-C and a parent that ends close the pipe
    with suppress(EOFError, KeyboardInterrupt, BrokenPipeError):
        while True:
            pickle.dump(_do(pickle.load(requests)), answers, pickle.HIGHEST_PROTOCOL)
            answers.flush()


def _do(request: tuple[Any, ...]) -> tuple[bool, Any]:
    """Whether it went well, and the result or the error."""
    kind, *given = request
    try:
        if kind == "decode":
            return True, decode_image(*given)
        if kind == "look":
            return True, _look(*given)
        pixels, path, metadata = given
        return True, encode_image(pixels, path, metadata=metadata)
    except (ValueError, TypeError, MemoryError, OSError) as error:
        # only the text: a decoder's own error may not be one that can be sent
        return False, InputError(str(error) or "not enough memory")


def _look(data: bytes, name: str, shown: bool) -> tuple[Diagnosis, bytes]:
    """Diagnose a photo, and make a small PNG of it if that is wanted."""
    image = decode_image(data, name)
    return diagnose_data(image, data, name), _preview(image) if shown else b""


def _preview(image: Image) -> bytes:
    pixels = image.pixels
    height, width, channels = pixels.shape
    longer = max(height, width)
    if longer > _PREVIEW_SIDE:
        size = [max(1, round(side * _PREVIEW_SIDE / longer)) for side in (width, height)]
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
        pixels = pixels.reshape(size[1], size[0], channels)
    return encode_image(pixels, Path("preview.png"))


def _limit(memory: int) -> None:
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
