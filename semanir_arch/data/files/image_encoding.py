"""Pixels to the bytes of an image file; `image_io.write_image` is the way to use it."""

from __future__ import annotations

import io
import math
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
from numpy.typing import DTypeLike, NDArray

from semanir_arch.data.files.image_metadata import Metadata, exif_for, fit_to_format
from semanir_arch.data.files.metadata_chunks import with_png_metadata, with_tiff_metadata
from semanir_arch.utils.errors import InputError, InputTypeError

_FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
    ".bmp": "BMP",
}
_SIXTEEN_BIT_FORMATS = ("PNG", "TIFF")
_ALPHA_FORMATS = ("PNG", "TIFF", "WEBP")

_THINGS = {"icc_profile": "a color profile", "exif": "EXIF data", "xmp": "XMP data"}

_LARGEST_SIDES = {"JPEG": 65_500, "WEBP": 16_383}
"""Largest sides in pixels: libjpeg's limit, and that of the WebP container."""

_LARGEST_FILES = {"TIFF": 2**32 - 2**20, "BMP": 2**32 - 2**20}
"""Largest files in bytes: places in the file are numbers of 32 bits; the headers need less than the
rest."""


def encode_image(
    pixels: NDArray[Any], path: Path, *, metadata: Metadata | None = None, quality: int = 95
) -> bytes:
    """The contents of an image file.

    Arguments and errors are those of `image_io.write_image`; of `path`, only the suffix matters.
    """
    pixels = _checked(pixels, path)
    check_format(path, pixels.shape, pixels.dtype)
    file_format = _FORMATS[path.suffix.lower()]
    if pixels.shape[2] == 2 and pixels.dtype == np.uint16:
        pixels = pixels[..., [0, 0, 0, 1]]
    kept = fit_to_format(metadata or Metadata(), file_format, _channels_in(file_format, pixels))
    # OpenCV writes PNG three times as fast, but knows no gray with alpha
    uses_opencv = pixels.dtype == np.uint16 or (file_format == "PNG" and pixels.shape[2] != 2)
    try:
        if uses_opencv:
            data = _encode_with_opencv(pixels, path.suffix.lower())
        else:
            data = _encode_with_pillow(pixels, file_format, kept, quality)
        if file_format == "PNG":
            return with_png_metadata(data, kept, pixels.shape)
        return with_tiff_metadata(data, kept, pixels.shape) if file_format == "TIFF" else data
    except (cv2.error, struct.error, OSError, ValueError) as error:
        # of encoders, on what they cannot hold
        raise InputError(f"{path}: cannot be written as {file_format}: {error}") from error


def check_format(path: Path, shape: tuple[int, ...], dtype: DTypeLike) -> None:
    """Refuse what a format cannot hold.

    Args:
        path: Path whose suffix decides the format.
        shape: Shape of the image, (H, W, C).
        dtype: uint8 or uint16.

    Raises:
        ValueError: The format is unknown, or cannot hold the depth, alpha or size.
    """
    file_format = _FORMATS.get(path.suffix.lower())
    if file_format is None:
        raise InputError(
            f"{path}: unknown image suffix {path.suffix!r}; allowed: {', '.join(_FORMATS)}"
        )
    if np.dtype(dtype) == np.uint16 and file_format not in _SIXTEEN_BIT_FORMATS:
        raise InputError(f"{path}: {file_format} cannot hold 16 bits; use .png or .tif")
    if shape[2] in (2, 4) and file_format not in _ALPHA_FORMATS:
        raise InputError(f"{path}: {file_format} cannot hold alpha; use .png, .tif or .webp")
    limit = _LARGEST_SIDES.get(file_format, max(shape))
    if max(shape[:2]) > limit:
        raise InputError(
            f"{path}: {file_format} cannot hold {shape[1]} x {shape[0]} pixels, only sides up to "
            f"{limit}; use .png or .tif"
        )
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size > _LARGEST_FILES.get(file_format, size):
        raise InputError(f"{path}: {file_format} cannot hold {size / 2**30:.1f} GiB; use .png")


def lost_metadata(path: Path, metadata: Metadata, pixels: NDArray[Any]) -> tuple[str, ...]:
    """A note on what a format cannot hold of what goes with an image; none where it holds all.

    Args:
        path: Path whose suffix decides the format, one that `check_format` accepts.
        metadata: Metadata to embed.
        pixels: (H, W, C).
    """
    file_format = _FORMATS[path.suffix.lower()]
    fitted = fit_to_format(metadata, file_format, _channels_in(file_format, pixels))
    lost = [
        thing
        for name, thing in _THINGS.items()
        if getattr(metadata, name) is not None and getattr(fitted, name) is None
    ]
    return (f"has {' and '.join(lost)} that {file_format} cannot keep",) if lost else ()


def _checked(pixels: NDArray[Any], path: Path) -> NDArray[Any]:
    if pixels.dtype not in (np.uint8, np.uint16):
        raise InputTypeError(f"{path}: pixels must be uint8 or uint16, received {pixels.dtype}")
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 2, 3, 4) or pixels.size == 0:
        raise InputError(
            f"{path}: pixels must be (H, W) or (H, W, 1 to 4), received {pixels.shape}"
        )
    return pixels


def _channels_in(file_format: str, pixels: NDArray[Any]) -> int:
    """Channels of the file: WebP has no gray."""
    channels: int = pixels.shape[2]
    return channels + 2 if file_format == "WEBP" and channels <= 2 else channels


def _encode_with_opencv(pixels: NDArray[Any], suffix: str) -> bytes:
    turned = np.ascontiguousarray(pixels)
    if pixels.shape[2] >= 3:
        code = cv2.COLOR_RGB2BGR if pixels.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
        turned = cv2.cvtColor(turned, code)
    encoded, data = cv2.imencode(suffix, turned)
    if not encoded:
        raise InputError(f"OpenCV cannot encode {pixels.dtype} pixels {pixels.shape} as {suffix}")
    return data.tobytes()


def _encode_with_pillow(
    pixels: NDArray[Any], file_format: str, metadata: Metadata, quality: int
) -> bytes:
    options: dict[str, Any] = {}
    if file_format == "JPEG":
        # colors at full resolution: halving it would undo what was restored
        options.update(quality=quality, subsampling=0)
    if file_format == "WEBP":
        # exact: also the colors of transparent pixels
        options.update(lossless=True, exact=True)
    if file_format in ("JPEG", "WEBP"):
        exif = exif_for(metadata, pixels.shape[1], pixels.shape[0])
        options["exif"] = None if exif is None else exif.tobytes()
        options.update(icc_profile=metadata.icc_profile, xmp=metadata.xmp)
    if file_format in ("JPEG", "BMP"):
        options["dpi"] = metadata.dpi
    buffer = io.BytesIO()
    squeezed = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    given = {name: value for name, value in options.items() if value is not None}
    PIL.Image.fromarray(np.ascontiguousarray(squeezed)).save(buffer, file_format, **given)
    return buffer.getvalue()
