"""Pictures inside the HTML page: as exact as the page's budget of bytes allows.

Each picture may spend an equal part of what is left. Its images are embedded without loss if that
is enough; else compressed, then reduced, which the page says, because pixels are not exact any
more; else the picture is listed without images.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt
import PIL.Image

from semanir_arch.data.files.image_io import load_image, to_float, to_integer
from semanir_arch.utils.errors import InputError, InputTypeError

__all__ = ["Embedded", "Fidelity", "PagePicture", "embed"]

Fidelity = Literal["exact", "compressed", "reduced", "left out", "none"]
Source = Path | npt.NDArray[Any] | None

PARTS = ("before", "after", "target")

MAX_PIXELS = 2**24
"""Browsers of phones draw no larger canvas; larger images are reduced."""

_LARGEST_SIDE = 16_383
"""Largest side of a WebP file, in pixels."""

_SMALLEST_SIDE = 256
"""Images are not reduced further, in pixels."""

# more effort takes twice the time for a twentieth of the bytes
_LOSSLESS: dict[str, Any] = {"lossless": True, "method": 2, "quality": 20}
_COMPRESSED: dict[str, Any] = {"quality": 90}

_LEAST = {"exact": 0.25, "compressed": 0.01, "reduced": 0.01}
"""Part of its raw bytes that a photograph takes at least: with less, encoding is not tried."""


@dataclass(frozen=True)
class PagePicture:
    """One image of the run: what went in, what came out, and the clean image if there is one.

    An image is a file (read when the page is written) or an array: (H, W) or (H, W, 1 to 4), gray
    or RGB, perhaps with alpha, uint8, uint16 or floating point in [0, 1]. The page shows 8 bits,
    transparent parts over white. Sizes may differ.

    Args:
        name: Name in the list, any text.
        dataset: The set and, where there are several, the level; pictures are grouped by it.
        before: Degraded image; None to list the picture without it.
        after: Restored image, or None.
        target: Clean image, or None.
        scores_in: Scores of the degraded image by metric, such as `psnr`; may be empty.
        scores_out: Scores of the restored image.
    """

    name: str
    dataset: str = ""
    before: Source = None
    after: Source = None
    target: Source = None
    scores_in: dict[str, float] = field(default_factory=dict)
    scores_out: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Embedded:
    """Embedded form of a picture.

    Attributes:
        fidelity: `exact`; `compressed` (WebP with loss); `reduced` (smaller, too); `left out`
            (beyond the budget); `none` (no image was given).
        images: Numbers of the page's images by part.
    """

    fidelity: Fidelity
    images: dict[str, int]


def embed(pictures: Sequence[PagePicture], budget: int) -> tuple[list[Embedded], list[str]]:
    """Encode the images of all pictures, one picture after another.

    Equal images, such as the target of several noise levels, are held once.

    Args:
        pictures: Pictures in the order of the page.
        budget: Bytes for all together.

    Returns:
        Embedded form of each picture, and the images: base64 of WebP files.

    Raises:
        FileNotFoundError: An image file does not exist.
        ValueError: An image file cannot be read, or an array is no image.
        TypeError: An array is of another type.
    """
    held = _Images(budget)
    embedded = []
    for position, picture in enumerate(pictures):
        allowance = held.left // (len(pictures) - position)
        embedded.append(_embed(picture, held, allowance))
    return embedded, held.texts


class _Images:
    """The images of the page, each held once.

    Attributes:
        texts: Base64 of WebP files.
        left: Bytes that others may take.
    """

    def __init__(self, budget: int) -> None:
        self.texts: list[str] = []
        self.left = budget
        self._numbers: dict[tuple[Fidelity, bytes], int] = {}

    def add(
        self, images: dict[str, npt.NDArray[np.uint8]], fidelity: Fidelity, allowance: int
    ) -> Embedded | None:
        """Encode and hold images; None if what is new among them exceeds the allowance."""
        keys = {part: (fidelity, _fingerprint(image)) for part, image in images.items()}
        new = {key: images[part] for part, key in keys.items() if key not in self._numbers}
        if _LEAST[fidelity] * sum(image.size for image in new.values()) > allowance:
            return None
        texts = [_encode(image, fidelity) for image in new.values()]
        size = sum(map(len, texts))
        if size > allowance:
            return None
        self._numbers |= {key: len(self.texts) + place for place, key in enumerate(new)}
        self.texts += texts
        self.left -= size
        return Embedded(fidelity, {part: self._numbers[key] for part, key in keys.items()})


def _embed(picture: PagePicture, held: _Images, allowance: int) -> Embedded:
    images, whole = {}, True
    # one at a time, because a panorama takes hundreds of megabytes
    for part in PARTS:
        if (source := getattr(picture, part)) is not None:
            image = _read(source)
            fitting = _fit_for_drawing(image)
            whole &= fitting is image
            images[part] = _to_rgb(fitting)
    if not images:
        return Embedded("none", {})
    if whole:
        done = held.add(images, "exact", allowance) or held.add(images, "compressed", allowance)
    else:
        done = held.add(images, "reduced", allowance)
    while not done and max(max(image.shape) for image in images.values()) > _SMALLEST_SIDE:
        images = {part: _halve(image) for part, image in images.items()}
        done = held.add(images, "reduced", allowance)
    return done or Embedded("left out", {})


def _read(source: Path | npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Any image as (H, W, 1 to 4), uint8, uint16 or float32."""
    image = load_image(source).pixels if isinstance(source, Path) else source
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or not 1 <= image.shape[2] <= 4 or image.size == 0:
        raise InputError(f"an image must be (H, W) or (H, W, 1 to 4), received {image.shape}")
    if image.dtype.kind == "f":
        return image.astype(np.float32, copy=False)
    if image.dtype not in (np.uint8, np.uint16):
        raise InputTypeError(
            f"an image must be uint8, uint16 or floating point, received {image.dtype}"
        )
    return image


def _fit_for_drawing(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Halve an image until browsers can draw it."""
    while image.shape[0] * image.shape[1] > MAX_PIXELS or max(image.shape) > _LARGEST_SIDE:
        image = _halve(image)
    return image


def _halve(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    height, width, channels = image.shape
    size = (max(1, width // 2), max(1, height // 2))
    half = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    # OpenCV drops the axis of a single channel
    return half.reshape(size[1], size[0], channels)


def _to_rgb(image: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Uint8 RGB (H, W, 3), transparent parts over white."""
    if image.dtype != np.uint8 or image.shape[2] in (2, 4):
        values = np.clip(image, 0, 1) if image.dtype.kind == "f" else to_float(image)
        if image.shape[2] in (2, 4):
            values, alpha = values[..., :-1], values[..., -1:]
            values = values * alpha + (1 - alpha)
        image = to_integer(values)
    return image if image.shape[2] == 3 else np.repeat(image, 3, axis=2)


def _fingerprint(image: npt.NDArray[np.uint8]) -> bytes:
    return hashlib.sha256(f"{image.shape}".encode() + image.tobytes()).digest()


def _encode(image: npt.NDArray[np.uint8], fidelity: Fidelity) -> str:
    buffer = io.BytesIO()
    options = _LOSSLESS if fidelity == "exact" else _COMPRESSED
    PIL.Image.fromarray(image).save(buffer, "WEBP", **options)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
