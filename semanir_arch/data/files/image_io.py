"""Image files in and out: 8 and 16 bit, gray, color and alpha, with errors that name the file.

PNG, JPEG, TIFF, WebP and BMP in and out; GIF, PPM, JPEG 2000 and, where Pillow has it, AVIF in;
HEIC and camera raw files with the packages of the extra `formats`.
Everywhere here an image is an array (H, W, C) in RGB order, where C is 1 (gray), 2 (gray and
alpha), 3 (RGB) or 4 (RGB and alpha). 8-bit files are decoded by Pillow, because it refuses
truncated files, and deeper ones as `deep_pixels` says, because Pillow reduces color to 8 bits.

- `load_image(path)`: pixels as stored (uint8 or uint16), with alpha and metadata
- `load_mosaic(path)`: what the sensor saw, of camera raw files
- `read_image(path, channels)`: float32 in [0, 1], gray or RGB
- `write_image(path, pixels)`: atomic; the suffix chooses the format
- `to_float`, `to_integer`: between stored pixels and [0, 1]
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import DTypeLike, NDArray

from semanir_arch.data.files.bounds import Opened, opened
from semanir_arch.data.files.camera_raw import Mosaic, RawFile
from semanir_arch.data.files.decoding import decode_pixels
from semanir_arch.data.files.heic import heic_notes
from semanir_arch.data.files.hidden_colors import with_visible_colors
from semanir_arch.data.files.image_encoding import encode_image
from semanir_arch.data.files.image_metadata import Metadata, read_metadata, read_raw_metadata
from semanir_arch.utils.atomic import replacing
from semanir_arch.utils.errors import InputError, InputTypeError, MissingFileError


@dataclass(frozen=True)
class Image:
    """A decoded file.

    Args:
        pixels: (H, W, C), uint8 or uint16 as stored, RGB order, upright (EXIF orientation is
            applied).
        metadata: Metadata of the file, to pass to `write_image`.
        notes: Contents of the file that are not in this object, in words: further pages, damaged
            EXIF data.
    """

    pixels: NDArray[Any]
    metadata: Metadata = field(default_factory=Metadata)
    notes: tuple[str, ...] = ()

    @property
    def icc_profile(self) -> bytes | None:
        """The embedded color profile; None without one."""
        return self.metadata.icc_profile

    @property
    def bit_depth(self) -> int:
        """Bits per sample: 8 or 16."""
        return 8 * self.pixels.dtype.itemsize

    @property
    def color(self) -> NDArray[Any]:
        """The pixels without alpha: (H, W, 1) or (H, W, 3).

        Colors that alpha hides are filled from visible pixels, as `hidden_colors` does.
        """
        alpha = self.pixels.shape[2] in (2, 4)
        return with_visible_colors(self.pixels)[..., :-1] if alpha else self.pixels

    @property
    def alpha(self) -> NDArray[Any] | None:
        """Opacity (H, W, 1) in the depth of the pixels, None for an opaque image."""
        return self.pixels[..., -1:] if self.pixels.shape[2] in (2, 4) else None


def load_image(path: str | os.PathLike[str]) -> Image:
    """Read a file in the depth and with the channels it has.

    Of an animation or a file with several pages, the first image is read, and the notes say so;
    never a small copy of it. Camera raw files are developed, with the camera's white balance, to
    16 bits in sRGB.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file is empty, cut short, damaged, no image, or of another pixel type.
    """
    path = Path(path)
    return decode_image(_contents(path), str(path))


def decode_image(data: bytes, name: str) -> Image:
    """Decode the contents of an image file, as `load_image` does.

    Refused are more than 178 megapixels (Pillow's limit; a side counts as 64 at least), more than
    16 in a file that is too small for them, and files of far more parts than their size warrants.

    Args:
        data: The file's bytes.
        name: Name of the file in error messages.

    Raises:
        ValueError: As `load_image`.
    """
    with opened(data, name) as found:
        return _decode(found)


def load_mosaic(path: str | os.PathLike[str]) -> Mosaic | None:
    """Load the sensor's values of a camera raw file; None for a file of another format.

    Raises:
        FileNotFoundError: No such file.
        ValueError: As `load_image`; or the sensor has no Bayer filter.
    """
    with opened(_contents(Path(path)), str(path)) as found:
        return found.file.mosaic() if isinstance(found.file, RawFile) else None


def read_image(path: str | os.PathLike[str], channels: int | None = None) -> NDArray[np.float32]:
    """Read an image for training or testing.

    Gray from color is OpenCV's conversion (BT.601 luma, full range, rounded to the depth of the
    file) of the decoded picture. OpenCV's `IMREAD_GRAYSCALE`, used by published gray-denoising
    scripts, asks the PNG decoder instead and gets values up to one level lower; for gray files
    there is no difference.

    Args:
        path: The file.
        channels: Number of channels, 1 or 3: alpha is dropped, gray is repeated, color is converted
            to gray; colors that alpha hides are filled from visible pixels. None: the channels that
            the file has, alpha included, as stored.

    Returns:
        (H, W, C) float32 in [0, 1], RGB order: uint8 / 255 or uint16 / 65535.

    Raises:
        FileNotFoundError: No such file.
        ValueError: Unreadable file (see `load_image`), or `channels` is something else.
    """
    return to_float(convert_channels(load_image(path), channels))


def convert_channels(image: Image, channels: int | None) -> NDArray[Any]:
    """Pixels of an image as gray or RGB, in the depth they have; the rule of `read_image`.

    Raises:
        ValueError: `channels` is neither None nor 1 nor 3.
    """
    if channels is None:
        return image.pixels
    if channels not in (1, 3):
        raise InputError(f"channels must be 1, 3 or None, received {channels!r}")
    color = image.color
    if channels == color.shape[2]:
        return np.ascontiguousarray(color)
    if channels == 3:
        return np.repeat(color, 3, axis=2)
    return cv2.cvtColor(np.ascontiguousarray(color), cv2.COLOR_RGB2GRAY)[..., None]


def write_image(
    path: str | os.PathLike[str],
    pixels: NDArray[Any],
    *,
    metadata: Metadata | None = None,
    quality: int = 95,
    overwrite: bool = True,
) -> None:
    """Write an image so that `path` holds either the old file or the complete new one.

    Folders on the way are made.

    Args:
        path: Destination; the suffix chooses the format. WebP is written lossless.
        pixels: (H, W, C) or (H, W), uint8 or uint16, RGB order. 16 bits need PNG or TIFF; alpha
            needs PNG, TIFF or WebP. Gray in WebP and 16-bit gray with alpha become RGB.
        metadata: Metadata to embed; BMP holds only the resolution.
        quality: Quality of JPEG, 1 to 100.
        overwrite: Whether to replace a file that is there.

    Raises:
        TypeError: The pixels are neither uint8 nor uint16 (`to_integer` converts).
        ValueError: The format is unknown or cannot hold these pixels.
        FileExistsError: There is a file, and `overwrite` is false.
    """
    path = Path(path)
    data = encode_image(pixels, path, metadata=metadata, quality=quality)
    replace_file(path, data, overwrite=overwrite)


def replace_file(path: str | os.PathLike[str], data: bytes, *, overwrite: bool = True) -> None:
    """Write a file under a temporary name and move it in place; folders on the way are made.

    Raises:
        FileExistsError: There is a file, and `overwrite` is false.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, overwrite=overwrite) as file:
        file.write(data)


def to_float(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Stored pixels as float32 in [0, 1], by their type.

    Raises:
        TypeError: The pixels are neither uint8 nor uint16.
    """
    if pixels.dtype not in (np.uint8, np.uint16):
        raise InputTypeError(f"pixels must be uint8 or uint16, received {pixels.dtype}")
    return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)


def to_integer(image: NDArray[Any], dtype: DTypeLike = np.uint8) -> NDArray[Any]:
    """Floats in [0, 1] as stored pixels: clipped, scaled and rounded to the nearest level.

    Raises:
        TypeError: `dtype` is neither uint8 nor uint16.
        ValueError: The image has values that are not numbers.
    """
    if np.dtype(dtype) not in (np.uint8, np.uint16):
        raise InputTypeError(f"dtype must be uint8 or uint16, received {np.dtype(dtype)}")
    if np.isnan(image).any():
        raise InputError("the image has values that are not numbers (nan)")
    # float32 holds every 16-bit level exactly, but not the products on the way to it
    scaled = np.clip(image, 0, 1).astype(np.float64) * np.iinfo(dtype).max
    return np.rint(scaled).astype(dtype)


def _contents(path: Path) -> bytes:
    if not path.is_file():
        reason = "is a folder, not an image" if path.is_dir() else "no such file"
        raise MissingFileError(f"{path}: {reason}")
    return path.read_bytes()


def _decode(found: Opened) -> Image:
    file, data = found.file, found.data
    if isinstance(file, RawFile):
        pixels = file.develop()
        return Image(pixels, *read_raw_metadata(file))
    # counting them all would take time that grows with their square
    several = bool(getattr(file, "is_animated", False))
    is_heic = file.format == "HEIF"
    pixels, orientation = decode_pixels(file, data)
    notes = [*found.notes, *(heic_notes(file.info) if is_heic else [])]
    if several:
        which = "main" if is_heic else "first"
        notes.append(f"holds more than one picture; only the {which} is read")
    if file.mode == "CMYK":
        notes.append("its inks (CMYK) are converted to RGB without their color profile")
    metadata, more = read_metadata(file, data, orientation)
    return Image(pixels, metadata, (*notes, *more))
