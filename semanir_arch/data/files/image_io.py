"""Image files in and out: 8 and 16 bit, gray, colour and alpha, with errors that name the file.

PNG, JPEG, TIFF, WebP and BMP in and out; GIF, PPM, JPEG 2000 and, where Pillow has it, AVIF in.
Everywhere here an image is an array (H, W, C) in RGB order, where C is 1 (gray), 2 (gray and
alpha), 3 (RGB) or 4 (RGB and alpha). 8-bit files are decoded by Pillow, because it refuses
truncated files, and 16-bit files by OpenCV, because Pillow reduces 16-bit colour to 8 bits.

- `scan_images(root)`: paths of all images of a folder, in natural order
- `load_image(path)`: pixels as stored (uint8 or uint16), with alpha and metadata
- `read_image(path, channels)`: float32 in [0, 1], gray or RGB
- `write_image(path, pixels)`: atomic; the suffix chooses the format
- `to_float`, `to_integer`: between stored pixels and [0, 1]
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
from numpy.typing import DTypeLike, NDArray

from semanir_arch.data.files.deep_pixels import PNG_SIGNATURE, bits_per_sample, decode_16_bit
from semanir_arch.data.files.image_encoding import encode_image
from semanir_arch.data.files.image_metadata import Metadata, read_metadata
from semanir_arch.data.sources.scanning import scan_names
from semanir_arch.utils.atomic import replacing

# not all that Pillow knows: EPS would start Ghostscript, and others have no signature
_READABLE_FORMATS = (
    "PNG", "JPEG", "MPO", "TIFF", "WEBP", "BMP", "DIB", "GIF", "PPM", "JPEG2000", "AVIF",
)  # fmt: skip

_EXIF_ORIENTATION = 274

# no format but bilevel and WebP packs more than a thousand pixels into a byte
_ALWAYS_ALLOWED_PIXELS, _PIXELS_PER_BYTE = 2**24, 1000

_READABLE_MODES = {
    "1": "L",
    "P": "RGB",
    "PA": "RGBA",
    "CMYK": "RGB",
    "YCbCr": "RGB",
    "RGBX": "RGB",
    "RGBa": "RGBA",
    "La": "LA",
} | {mode: mode for mode in ("L", "LA", "RGB", "RGBA")}

DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    OverflowError,
    TypeError,
    struct.error,
    zlib.error,
    cv2.error,
    PIL.Image.DecompressionBombError,
    # on damaged metadata, where the program turns warnings into errors
    Warning,
)
"""What the decoders raise on files that are cut short, damaged or no images."""


@dataclass(frozen=True)
class Image:
    """A decoded file.

    Args:
        pixels: (H, W, C), uint8 or uint16 as stored, RGB order, upright (EXIF orientation is
            applied).
        metadata: What else the file says, to be handed to `write_image`.
        notes: What the file holds and this does not, in words: further pages, damaged EXIF data.
    """

    pixels: NDArray[Any]
    metadata: Metadata = field(default_factory=Metadata)
    notes: tuple[str, ...] = ()

    @property
    def icc_profile(self) -> bytes | None:
        """The embedded colour profile; None without one."""
        return self.metadata.icc_profile

    @property
    def bit_depth(self) -> int:
        """Bits per sample: 8 or 16."""
        return 8 * self.pixels.dtype.itemsize

    @property
    def color(self) -> NDArray[Any]:
        """The pixels without alpha: (H, W, 1) or (H, W, 3)."""
        return self.pixels[..., : 1 if self.pixels.shape[2] <= 2 else 3]

    @property
    def alpha(self) -> NDArray[Any] | None:
        """Opacity (H, W, 1) in the depth of the pixels, None for an opaque image."""
        return self.pixels[..., -1:] if self.pixels.shape[2] in (2, 4) else None


def scan_images(root: str | os.PathLike[str]) -> list[Path]:
    """Find the images of a folder and its sub-folders; see `scanning.scan_names`.

    Args:
        root: A folder (links are followed), or one image.

    Returns:
        Paths in natural order: `img2` comes before `img10`.

    Raises:
        FileNotFoundError: `root` does not exist.
        ValueError: There is no image in it.
    """
    root = Path(root)
    return [root] if root.is_file() else [root / name for name in scan_names(root)]


def load_image(path: str | os.PathLike[str]) -> Image:
    """Read a file in the depth and with the channels it has.

    Of an animation or a file with several pages, the first image is read, and the notes say so.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file is empty, cut short, damaged, no image, or of another pixel type.
    """
    path = Path(path)
    if not path.is_file():
        reason = "is a folder, not an image" if path.is_dir() else "no such file"
        raise FileNotFoundError(f"{path}: {reason}")
    return decode_image(path.read_bytes(), str(path))


def decode_image(data: bytes, name: str) -> Image:
    """Decode the contents of an image file, as `load_image` does.

    More than 179 megapixels are refused (Pillow's limit), and so are more than 16 in a file that
    is too small for them.

    Args:
        data: The file's bytes.
        name: What error messages call it.

    Raises:
        ValueError: As `load_image`.
    """
    if not data:
        raise ValueError(f"{name}: the file is empty")
    try:
        with PIL.Image.open(io.BytesIO(data), formats=_readable_formats()) as file:
            _check_size(file, len(data))
            if data.startswith(PNG_SIGNATURE):
                _check_png_chunks(data)
            return _decode(file, data)
    except PIL.UnidentifiedImageError as error:
        raise ValueError(
            f"{name}: not an image of a format that is read here, or damaged at its beginning"
        ) from error
    except DECODER_ERRORS as error:
        raise ValueError(f"{name}: cannot be read as an image: {error}") from error


def read_image(path: str | os.PathLike[str], channels: int | None = None) -> NDArray[np.float32]:
    """Read an image for training or testing.

    Gray from colour is OpenCV's conversion (BT.601 luma, full range, rounded to the depth of the
    file) of the decoded picture. OpenCV's `IMREAD_GRAYSCALE`, used by published gray-denoising
    scripts, asks the PNG decoder instead and gets values up to one level lower; for gray files
    there is no difference.

    Args:
        path: The file.
        channels: 1 or 3: alpha is dropped, gray is repeated, colour is converted to gray. None: the
            channels that the file has, alpha included.

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
        raise ValueError(f"channels must be 1, 3 or None, received {channels!r}")
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
        metadata: What to embed; BMP holds only the resolution.
        quality: Of JPEG, 1 to 100.
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
        raise TypeError(f"pixels must be uint8 or uint16, received {pixels.dtype}")
    return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)


def to_integer(image: NDArray[Any], dtype: DTypeLike = np.uint8) -> NDArray[Any]:
    """Floats in [0, 1] as stored pixels: clipped, scaled and rounded to the nearest level.

    Raises:
        TypeError: `dtype` is neither uint8 nor uint16.
        ValueError: The image has values that are not numbers.
    """
    if np.dtype(dtype) not in (np.uint8, np.uint16):
        raise TypeError(f"dtype must be uint8 or uint16, received {np.dtype(dtype)}")
    if np.isnan(image).any():
        raise ValueError("the image has values that are not numbers (nan)")
    # float32 holds every 16-bit level exactly, but not the products on the way to it
    scaled = np.clip(image, 0, 1).astype(np.float64) * np.iinfo(dtype).max
    return np.rint(scaled).astype(dtype)


@lru_cache(maxsize=1)
def _readable_formats() -> tuple[str, ...]:
    # an older Pillow may lack one
    PIL.Image.init()
    return tuple(name for name in _READABLE_FORMATS if name in PIL.Image.OPEN)


def _decode(file: PIL.Image.Image, data: bytes) -> Image:
    pages = _count_pages(file)
    if bits_per_sample(file, data) == 16:
        # OpenCV itself turns TIFF files upright
        orientation = 1 if file.format == "TIFF" else _orientation(file)
        pixels = _upright(decode_16_bit(file, data), orientation)
    else:
        pixels = _decode_8_bit(file)
    notes = [f"holds {pages} pictures; only the first is read"] if pages > 1 else []
    if file.mode == "CMYK":
        notes.append("its inks (CMYK) are converted to RGB without their colour profile")
    try:
        metadata = read_metadata(file)
    except DECODER_ERRORS:
        metadata = Metadata(icc_profile=file.info.get("icc_profile"))
        notes.append("its metadata are damaged and left out")
    return Image(pixels, metadata, tuple(notes))


def _count_pages(file: PIL.Image.Image) -> int:
    """Pages or frames of a file, as far as they can be found."""
    try:
        return int(getattr(file, "n_frames", 1))
    except DECODER_ERRORS:
        # what is damaged lies behind the first
        file.seek(0)
        return 1


def _decode_8_bit(file: PIL.Image.Image) -> NDArray[Any]:
    if file.mode not in _READABLE_MODES:
        raise ValueError(f"pixel type {file.mode!r} is not supported; 8 and 16 bits are")
    mode = _READABLE_MODES[file.mode]
    file.load()
    if "transparency" in file.info:
        mode = "LA" if mode in ("L", "LA") else "RGBA"
    # after loading, because Pillow itself turns TIFF files upright
    orientation = _orientation(file)
    pixels = np.asarray(file if file.mode == mode else file.convert(mode))
    return _upright(pixels.reshape(*pixels.shape[:2], -1), orientation)


def _orientation(file: PIL.Image.Image) -> int:
    """How the camera was held, 1 to 8 (EXIF 2.3, tag 274); 1 where that is damaged."""
    try:
        value = file.getexif().get(_EXIF_ORIENTATION, 1)
    except DECODER_ERRORS:
        return 1
    return value if isinstance(value, int) else 1


def _check_size(file: PIL.Image.Image, size: int) -> None:
    """Refuse a header that makes the decoder reserve gigabytes for a few bytes of picture."""
    pixels = file.width * file.height
    if file.mode != "1" and pixels > max(_ALWAYS_ALLOWED_PIXELS, _PIXELS_PER_BYTE * size):
        raise ValueError(f"{file.width} x {file.height} pixels cannot be in {size} bytes")


def _check_png_chunks(data: bytes) -> None:
    """Refuse a PNG file that ends too early, on which OpenCV reserves what a chunk promises."""
    position, name = len(PNG_SIGNATURE), b""
    while name != b"IEND":
        # length, name, content, checksum (PNG specification, 5.3)
        length, name = struct.unpack_from(">I4s", data, position)
        position += 12 + length
        if position > len(data):
            raise ValueError(f"cut short within chunk {name!r}")


def _upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Undo the camera's orientation (EXIF 2.3, tag 274), as a contiguous array of our own."""
    if orientation in (5, 7):
        pixels = pixels.swapaxes(0, 1)
    turns = {3: 2, 6: -1, 7: 2, 8: 1}.get(orientation, 0)
    pixels = np.rot90(pixels, turns)
    if orientation in (2, 4):
        pixels = np.flip(pixels, axis=1 if orientation == 2 else 0)
    return np.array(pixels, order="C")
