"""Pixels to the bytes of an image file; `image_io.write_image` is the way to use it."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

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

# signature (8 bytes) and header chunk (25): a colour profile must come before the pixels
_PNG_AFTER_HEADER = 33


def encode_image(
    pixels: NDArray[Any], path: Path, *, icc_profile: bytes | None = None, quality: int = 95
) -> bytes:
    """The contents of an image file.

    Arguments and errors are those of `image_io.write_image`; of `path`, only the suffix matters.
    """
    pixels = _checked(pixels, path)
    file_format = _format_for(pixels, path)
    if pixels.shape[2] == 2 and pixels.dtype == np.uint16:
        pixels = pixels[..., [0, 0, 0, 1]]
    # OpenCV writes PNG three times as fast, but knows no gray with alpha
    if pixels.dtype == np.uint16 or (file_format == "PNG" and pixels.shape[2] != 2):
        data = _encode_with_opencv(pixels, path.suffix.lower())
        if file_format == "PNG" and icc_profile is not None:
            data = _with_png_profile(data, icc_profile)
        return data
    return _encode_with_pillow(pixels, file_format, icc_profile, quality)


def _checked(pixels: NDArray[Any], path: Path) -> NDArray[Any]:
    if pixels.dtype not in (np.uint8, np.uint16):
        raise TypeError(f"{path}: pixels must be uint8 or uint16, received {pixels.dtype}")
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 2, 3, 4) or pixels.size == 0:
        raise ValueError(
            f"{path}: pixels must be (H, W) or (H, W, 1 to 4), received {pixels.shape}"
        )
    return pixels


def _format_for(pixels: NDArray[Any], path: Path) -> str:
    file_format = _FORMATS.get(path.suffix.lower())
    if file_format is None:
        raise ValueError(
            f"{path}: unknown image suffix {path.suffix!r}; allowed: {', '.join(_FORMATS)}"
        )
    if pixels.dtype == np.uint16 and file_format not in _SIXTEEN_BIT_FORMATS:
        raise ValueError(f"{path}: {file_format} cannot hold 16 bits; use .png or .tif")
    if pixels.shape[2] in (2, 4) and file_format not in _ALPHA_FORMATS:
        raise ValueError(f"{path}: {file_format} cannot hold alpha; use .png, .tif or .webp")
    return file_format


def _encode_with_opencv(pixels: NDArray[Any], suffix: str) -> bytes:
    if pixels.shape[2] >= 3:
        pixels = pixels[..., [2, 1, 0, *range(3, pixels.shape[2])]]
    encoded, data = cv2.imencode(suffix, np.ascontiguousarray(pixels))
    if not encoded:
        raise ValueError(f"OpenCV cannot encode {pixels.dtype} pixels {pixels.shape} as {suffix}")
    return data.tobytes()


def _encode_with_pillow(
    pixels: NDArray[Any], file_format: str, icc_profile: bytes | None, quality: int
) -> bytes:
    options: dict[str, Any] = {}
    if file_format == "JPEG":
        options["quality"] = quality
    if file_format == "WEBP":
        # exact: also the colours of transparent pixels
        options.update(lossless=True, exact=True)
    if icc_profile is not None and file_format != "BMP":
        options["icc_profile"] = icc_profile
    buffer = io.BytesIO()
    squeezed = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    PIL.Image.fromarray(np.ascontiguousarray(squeezed)).save(buffer, file_format, **options)
    return buffer.getvalue()


def _with_png_profile(data: bytes, icc_profile: bytes) -> bytes:
    """Insert a colour profile as an iCCP chunk (PNG specification, 11.3.2.3)."""
    body = b"iCCP" + b"profile\0" + b"\0" + zlib.compress(icc_profile)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return data[:_PNG_AFTER_HEADER] + chunk + data[_PNG_AFTER_HEADER:]
