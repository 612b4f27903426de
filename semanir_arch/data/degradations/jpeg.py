"""JPEG compression of whole images, and of crops as if the whole image had been compressed.

OpenCV and Pillow, which both build on libjpeg-turbo, decode to the same pixels at equal settings.
MATLAB's `imwrite` files, which older papers used, come from another library: give those as files.
"""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from semanir_arch.data.degradations.damage import PixelDamage, Pixels, Values, examples
from semanir_arch.data.degradations.declaration import Choice, Declared, Number
from semanir_arch.data.files.image_io import to_float, to_integer
from semanir_arch.utils.errors import InputError, InputTypeError
from semanir_arch.utils.options import REQUIRED

CHROMA = ("4:2:0", "4:4:4")
"""Chroma at half the resolution in both directions, as encoders do by default; or at full."""

ENCODERS = ("opencv", "pillow")

SETTINGS: Declared = {
    "quality": Number(
        REQUIRED,
        1,
        100,
        "of JPEG, from the worst to the best; a number outside training",
        whole=True,
        constant=True,
    ),
    "chroma": Choice(
        "4:2:0",
        CHROMA,
        "resolution of chroma: 4:2:0 halves it, 4:4:4 keeps it",
        "published tables",
    ),
    "encoder": Choice("opencv", ENCODERS, "library; both give the same pixels"),
}
"""Parameters of `compress_jpeg`, in its units."""

_OPENCV_SAMPLING = {
    "4:2:0": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    "4:4:4": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
}
_PILLOW_SAMPLING = {"4:2:0": 2, "4:4:4": 0}
_BLOCK = 8
# libjpeg's limit
_LARGEST = 65500


def compress_jpeg(
    pixels: NDArray[Any], quality: int, *, chroma: str = "4:2:0", encoder: str = "opencv"
) -> NDArray[Any]:
    """An image as it looks after JPEG compression.

    Args:
        pixels: (H, W, 1) gray or (H, W, 3) RGB, uint8.
        quality: Quality from 1 (worst) to 100.
        chroma: Chroma subsampling, one of `CHROMA`; no effect on gray images.
        encoder: Encoder, one of `ENCODERS`.

    Returns:
        Shape and type of `pixels`.

    Raises:
        TypeError: The pixels are not uint8.
        ValueError: The image has another shape, or a setting is not allowed.
    """
    _check(pixels, quality, chroma, encoder)
    if encoder == "opencv":
        return _with_opencv(pixels, quality, chroma)
    return _with_pillow(pixels, quality, chroma)


def compress_jpeg_region(
    pixels: NDArray[Any],
    top: int,
    left: int,
    height: int,
    width: int,
    quality: int,
    *,
    chroma: str = "4:2:0",
    encoder: str = "opencv",
) -> NDArray[Any]:
    """A crop of the compressed image, equal to the last bit to compressing first and cropping then.

    Blocks are coded one by one, so only those that the crop touches are compressed. Where chroma is
    halved, the decoder smooths it over the border of a block: then one block more on each side.

    Args:
        pixels: The whole image; as in `compress_jpeg`, like all that is not said here.
        top: First row of the crop.
        left: First column of the crop.
        height: Rows of the crop, inside the image.
        width: Columns of the crop, inside the image.
        quality: Quality from 1 (worst) to 100.
        chroma: Chroma subsampling, one of `CHROMA`.
        encoder: Encoder, one of `ENCODERS`.

    Returns:
        (height, width, C) uint8.
    """
    first_row, first_column, bottom, right = covering_blocks(
        top, left, height, width, halved=pixels.shape[-1] == 3 and chroma == "4:2:0"
    )
    region = compress_jpeg(
        pixels[first_row:bottom, first_column:right], quality, chroma=chroma, encoder=encoder
    )
    top, left = top - first_row, left - first_column
    return region[top : top + height, left : left + width]


def covering_blocks(
    top: int, left: int, height: int, width: int, *, halved: bool
) -> tuple[int, int, int, int]:
    """The part of an image on which a crop of the compressed image depends.

    Args:
        top: First row of the crop.
        left: First column of the crop.
        height: Rows of the crop.
        width: Columns of the crop.
        halved: Whether the image is RGB and stored with chroma 4:2:0.

    Returns:
        Top, left, bottom and right, the last two possibly beyond the image.
    """
    unit = 2 * _BLOCK if halved else _BLOCK
    margin = unit if halved else 0
    return (
        max(0, top // unit * unit - margin),
        max(0, left // unit * unit - margin),
        -(-(top + height) // unit) * unit + margin,
        -(-(left + width) // unit) * unit + margin,
    )


def _check(pixels: NDArray[Any], quality: int, chroma: str, encoder: str) -> None:
    if pixels.dtype != np.uint8:
        raise InputTypeError(f"JPEG holds 8 bits: pixels must be uint8, received {pixels.dtype}")
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or pixels.size == 0:
        raise InputError(f"pixels must be (H, W, 1) or (H, W, 3), received {pixels.shape}")
    if max(pixels.shape[:2]) > _LARGEST:
        raise InputError(f"JPEG holds up to {_LARGEST} pixels a side, received {pixels.shape[:2]}")
    if not 1 <= quality <= 100 or quality != int(quality):
        raise InputError(f"quality must be an integer from 1 to 100, received {quality!r}")
    for name, value, allowed in (("chroma", chroma, CHROMA), ("encoder", encoder, ENCODERS)):
        if value not in allowed:
            raise InputError(f"{name} must be one of {', '.join(allowed)}, received {value!r}")


def _with_opencv(pixels: NDArray[Any], quality: int, chroma: str) -> NDArray[Any]:
    # OpenCV refuses a quality that is a float; its color order is BGR
    settings = [cv2.IMWRITE_JPEG_QUALITY, int(quality)]
    if pixels.shape[2] == 1:
        data = cv2.imencode(".jpg", np.ascontiguousarray(pixels), settings)[1]
        return _decode(data, cv2.IMREAD_GRAYSCALE)[..., None]
    settings += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, _OPENCV_SAMPLING[chroma]]
    data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), settings)[1]
    return _decode(data, cv2.IMREAD_COLOR_RGB)


def _decode(data: NDArray[np.uint8], mode: int) -> NDArray[Any]:
    pixels = cv2.imdecode(data, mode)
    assert pixels is not None, "OpenCV must read what it wrote"
    return pixels


def _with_pillow(pixels: NDArray[Any], quality: int, chroma: str) -> NDArray[Any]:
    buffer = io.BytesIO()
    squeezed = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    PIL.Image.fromarray(np.ascontiguousarray(squeezed)).save(
        buffer, "JPEG", quality=int(quality), subsampling=_PILLOW_SAMPLING[chroma]
    )
    with PIL.Image.open(buffer) as file:
        return np.array(file).reshape(pixels.shape)


def to_8_bit(pixels: Pixels) -> Pixels:
    """Pixels in the depth that JPEG holds."""
    return pixels if pixels.dtype == np.uint8 else to_integer(to_float(pixels))


def _apply(pixels: Pixels, values: Values) -> Pixels:
    return compress_jpeg(
        to_8_bit(pixels),
        int(values["quality"]),
        chroma=values["chroma"],
        encoder=values["encoder"],
    )


DAMAGE = PixelDamage(
    name="jpeg",
    help="JPEG compression, 8 bit",
    settings=SETTINGS,
    apply=_apply,
    examples=examples("quality", 40, 20, 10),
    unrecorded=frozenset({"encoder"}),
)
