"""Bicubic resizing exactly as MATLAB's `imresize`, the rule of super-resolution's test images.

Cubic convolution with a = -0.5 (R. G. Keys, Cubic Convolution Interpolation for Digital Image
Processing, IEEE Transactions on Acoustics, Speech and Signal Processing 29(6), 1981), stretched by
the factor of reduction against aliasing; symmetric edges; rows first, then columns. Integer images
are rounded half up and clipped after each of the two passes, as MATLAB does for uint8 and uint16;
so the published low-resolution images of Set5 and Set14 come out bit by bit. One pass in floating
point differs from them by up to two levels.

Each pass is a product with a banded matrix. It is cut into small dense blocks along the band, which
the matrix library multiplies faster than any loop over the kernel's taps; columns are turned into
rows for it, because long rows are what it is fastest with.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from semanir_arch.utils.errors import InputError, InputTypeError

_SUPPORT = 4.0

# Weights of the usual scales are fractions, so exact halves occur. A sum in floating point may miss
# them by 1e-10 on the scale of 16 bits; they round up all the same.
_TIE = 1e-8

# Results per block of either pass: few zeros in the dense blocks against few calls of the matrix
# library. Rows are long, so that a call takes its time anyway. All sizes here are measured.
_ROWS, _COLUMNS = 3, 12

# Length of the lines that columns become within a strip of the image: the product is fast, and the
# strip stays in the processor's cache.
_STRIP = 288

# Multiplications per product: for more, OpenBLAS starts threads, which cost many times the product.
_PRODUCT = 2**18


@dataclass(frozen=True)
class _Block:
    """Results `outputs` of one axis are `weights` (outputs, inputs) times values `inputs`."""

    outputs: slice
    inputs: slice
    weights: NDArray[Any]


def matlab_resize(image: NDArray[Any], scale: float) -> NDArray[Any]:
    """Resize an image as MATLAB's `imresize(image, scale)` does.

    Args:
        image: (H, W) or (H, W, C). uint8 and uint16 follow MATLAB's rule for integers; float32 and
            float64 may have any range and are neither clipped nor rounded, like those of BasicSR's
            `imresize`, which places samples in single precision.
        scale: Factor of both sides, above 0; below 1 reduces, with antialiasing.

    Returns:
        (ceil(H * scale), ceil(W * scale)[, C]) with the type and memory order of `image`: a view of
        (C, H, W) gives a view of (C, H, W).

    Raises:
        TypeError: The image has another type.
        ValueError: The image is empty or has another shape, or the scale is not above 0.

    Example:
        >>> matlab_resize(np.full((6, 8, 3), 7, np.uint8), 1 / 2).shape
        (3, 4, 3)
    """
    if image.dtype not in (np.uint8, np.uint16, np.float32, np.float64):
        raise InputTypeError(
            f"image must be uint8, uint16, float32 or float64, received {image.dtype}"
        )
    if image.ndim not in (2, 3) or image.size == 0:
        raise InputError(f"image must be (H, W) or (H, W, C) and not empty, received {image.shape}")
    if not (math.isfinite(scale) and scale > 0):
        raise InputError(f"scale must be above 0, received {scale}")
    size = tuple(math.ceil(length * scale) for length in image.shape[:2])
    if _is_planar(image):
        planes = image.reshape(*image.shape[:2], -1).transpose(2, 0, 1)
        resized = np.empty((len(planes), *size), image.dtype)
        for plane, result in zip(planes, resized, strict=True):
            _resize(plane[..., None], scale, result[..., None])
        return resized.transpose(1, 2, 0).reshape(*size, *image.shape[2:])
    result = np.empty((*size, image.shape[2]), image.dtype)
    _resize(np.ascontiguousarray(image), scale, result)
    return result


def crop_to_multiple(image: NDArray[Any], divisor: int) -> NDArray[Any]:
    """An image without the last rows and columns that `divisor` leaves over, as a view.

    Args:
        image: (H, W) or (H, W, C), any type.
        divisor: Divisor of the sides, 1 or more; usually the scale of super-resolution.

    Raises:
        ValueError: A side is shorter than `divisor`.
    """
    height, width = (length // divisor * divisor for length in image.shape[:2])
    if not height or not width:
        raise InputError(
            f"an image of {image.shape[0]} x {image.shape[1]} has no multiple of {divisor} in it"
        )
    return image[:height, :width]


def _is_planar(image: NDArray[Any]) -> bool:
    """Whether the samples of a row lie side by side, as in (H, W) or a view of (C, H, W)."""
    return image.ndim == 2 or image.strides[1] == image.itemsize


def _resize(image: NDArray[Any], scale: float, result: NDArray[Any]) -> None:
    """Both passes over (H, W, C) without gaps, in strips that stay in the processor's cache."""
    precision = np.float32 if image.dtype == np.float32 else np.float64
    rows = _blocks(image.shape[0], scale, _ROWS, precision)
    columns = _blocks(image.shape[1], scale, _COLUMNS, precision)
    # without rounding in between the order does not matter, and one of them has less to do
    columns_first = scale > 1 and image.dtype.kind == "f"
    height = _STRIP / image.shape[2] * (scale if columns_first else 1)
    count = max(1, round(height / _ROWS))
    for number in range(0, len(rows), count):
        strip = rows[number : number + count]
        outputs = slice(strip[0].outputs.start, strip[-1].outputs.stop)
        first = min(block.inputs.start for block in strip)
        used = image[first : max(block.inputs.stop for block in strip)]
        if columns_first:
            wide = np.empty((len(used), *result.shape[1:]), image.dtype)
            _resize_columns(used, columns, wide)
            _resize_rows(wide, strip, result[outputs], first)
        else:
            low = np.empty((outputs.stop - outputs.start, *image.shape[1:]), image.dtype)
            _resize_rows(used, strip, low, first)
            _resize_columns(low, columns, result[outputs])


def _resize_columns(image: NDArray[Any], blocks: tuple[_Block, ...], result: NDArray[Any]) -> None:
    """Columns of (H, W, C), which transposing makes to rows of length C * H."""
    height, width, channels = result.shape
    turned = cv2.transpose(_lines(image)).reshape(image.shape[1], -1)
    resized = np.empty((width, channels * height), result.dtype)
    _resize_rows(turned, blocks, resized)
    cv2.transpose(resized.reshape(-1, height), _lines(result))


def _resize_rows(
    image: NDArray[Any], blocks: tuple[_Block, ...], result: NDArray[Any], first: int = 0
) -> None:
    """Some rows, of an image that begins at its row `first`."""
    lines, resized = _lines(image), _lines(result)
    start = blocks[0].outputs.start
    for block in blocks:
        inputs = lines[block.inputs.start - first : block.inputs.stop - first]
        outputs = resized[block.outputs.start - start : block.outputs.stop - start]
        width = max(1, _PRODUCT // block.weights.size)
        for left in range(0, lines.shape[1], width):
            columns = slice(left, left + width)
            _multiply(block.weights, inputs[:, columns], outputs[:, columns])


def _lines(image: NDArray[Any]) -> NDArray[Any]:
    return image.reshape(len(image), -1)


def _multiply(weights: NDArray[Any], values: NDArray[Any], out: NDArray[Any]) -> None:
    """Matrix product; integer results are rounded half up and clipped."""
    if out.dtype.kind == "f":
        np.matmul(weights, values, out=out)
        return
    product = weights @ values.astype(np.float64)
    product += 0.5 + _TIE
    # the conversion truncates, which is rounding down for what is left after clipping
    out[...] = product.clip(0, np.iinfo(out.dtype).max)


@lru_cache(maxsize=64)
def _blocks(
    length: int, scale: float, size: int, precision: type[np.floating[Any]]
) -> tuple[_Block, ...]:
    """The banded matrix of one axis, `size` results per block."""
    weights, indices = _contributions(length, scale)
    blocks = []
    for first in range(0, len(weights), size):
        rows = slice(first, min(first + size, len(weights)))
        low, high = int(indices[rows].min()), int(indices[rows].max()) + 1
        dense = np.zeros((rows.stop - first, high - low))
        # added, because near the edges a sample stands for several positions
        np.add.at(dense, (np.arange(len(dense))[:, None], indices[rows] - low), weights[rows])
        blocks.append(_Block(rows, slice(low, high), dense.astype(precision)))
    return tuple(blocks)


def _contributions(length: int, scale: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """Which samples make each result, and how much.

    Returns:
        Weights (results, taps), whose rows sum to 1, and indices of samples of the same shape.
    """
    stretch = min(scale, 1.0)
    width = _SUPPORT / stretch
    # centres of the results in the coordinates of the samples, both counted from 1
    centers = np.arange(1, math.ceil(length * scale) + 1) / scale + 0.5 * (1 - 1 / scale)
    positions = np.floor(centers - width / 2)[:, None] + np.arange(math.ceil(width) + 2)
    weights = _cubic((centers[:, None] - positions) * stretch)
    weights /= weights.sum(axis=1, keepdims=True)
    # at whole factors the outermost positions have no weight at all
    reached = weights.any(axis=0)
    weights, positions = weights[:, reached], positions[:, reached]
    mirrored = np.concatenate([np.arange(length), np.arange(length)[::-1]])
    return weights, mirrored[(positions.astype(np.int64) - 1) % (2 * length)]


def _cubic(x: NDArray[Any]) -> NDArray[Any]:
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, near, np.where(x < 2, far, 0))
