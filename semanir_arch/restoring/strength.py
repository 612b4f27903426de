"""How much of a correction is applied, where the network itself cannot be told.

A blind network guesses how strong the damage is. A person who knows it, or who wants to keep more
of the original, sets a bound that follows from how the damage arises:

- Noise of standard deviation sigma leaves a difference of that deviation. What a denoiser removed
  beyond it was picture; the removed part is scaled down to it.
- JPEG stores each DCT coefficient of a block rounded to a multiple of its quantisation step. The
  original's coefficient lies within half a step of the stored one; so far may a correction go.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator
from numbers import Real
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import PIL.Image

from semanir_arch.data.degradations.bayer import demosaic_linear
from semanir_arch.restoring.mosaics import mosaic_reader
from semanir_arch.restoring.pixels import Pixels, split, to_levels
from semanir_arch.tasks import Task
from semanir_arch.utils.errors import InputError, InputTypeError

__all__ = [
    "blend",
    "check_share",
    "check_strength",
    "enlarged",
    "keep_share",
    "limit_noise",
    "limit_to_quality",
]

_BLOCK = 8
_ROWS = 16 * _BLOCK
"""Rows in work at once; a multiple of the blocks of subsampled color."""

_LARGEST_SIGMA = 255.0

# RGB to Y, Cb, Cr of JFIF 1.02: BT.601, full range; differences need no offset.
_TO_YCC = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32
)
_TO_RGB = np.linalg.inv(_TO_YCC.astype(np.float64)).astype(np.float32)

Change = npt.NDArray[np.float32]


def check_strength(
    task: Task | None, scale: int, sigma: float | None, quality: float | None
) -> None:
    """Refuse a strength that has no meaning for a task.

    Args:
        task: Task of the weights; None if they do not tell: then any network that keeps the size
            may be limited.
        scale: Factor by which the network enlarges an image.
        sigma: Standard deviation of the noise on the 0-255 scale, or None.
        quality: JPEG quality, or None.

    Raises:
        TypeError: The strength is no number.
        ValueError: It is not one of the task, or out of range.
    """
    for name, value, lowest, highest in (
        ("sigma", sigma, 0.0, _LARGEST_SIGMA),
        ("quality", quality, 1.0, 100.0),
    ):
        if value is None:
            continue
        _check_number(name, value)
        if task is not None and task.strength != name:
            usable = f"; it has {task.strength}" if task.strength else ""
            raise InputError(f"{name}={value:g}: task {task.name!r} has no such strength{usable}")
        if scale != 1:
            raise InputError(f"{name}={value:g}: a network that enlarges has no such strength")
        if not lowest <= value <= highest:
            raise InputError(f"{name}={value:g}; allowed: {lowest:g} to {highest:g}")
    if sigma is not None and quality is not None:
        raise InputError("give sigma or quality, not both")


def _check_number(name: str, value: object) -> None:
    if not isinstance(value, Real):
        raise InputTypeError(f"{name}={value!r}: {type(value).__name__}; a number is needed")


def check_share(strength: float | None) -> None:
    """Refuse a share of the correction outside 0 to 1.

    Raises:
        TypeError: It is no number.
        ValueError: It is out of range, or not a number.
    """
    if strength is None:
        return
    _check_number("strength", strength)
    if not 0 <= strength <= 1:
        raise InputError(f"strength={strength:g}; allowed: 0 (the input) to 1 (the whole change)")


def blend(before: npt.NDArray[Any], after: npt.NDArray[Any], strength: float) -> None:
    """Keep a share of the change; 0 gives `before` exactly, 1 leaves `after` as it is.

    Args:
        before: (H, W, C), uint8, uint16 or floating point in [0, 1].
        after: Restored version, of the same shape and type; changed in place.
        strength: The share, 0 to 1.
    """
    for rows in _bands(before) if strength < 1 else ():
        if strength == 0:
            after[rows] = before[rows]
        else:
            change = _change(before, after, rows) * np.float32(strength)
            _apply(before, after, rows, change)


def keep_share(
    before: Pixels,
    restored: npt.NDArray[Any],
    strength: float,
    scale: int = 1,
    mosaic: str | None = None,
) -> None:
    """Keep a share of what a network changed, in place.

    Args:
        before: The input.
        restored: Result of `Restorer.restore` for this input.
        strength: The share, 0 to 1.
        scale: Factor by which the result is larger; the input is then enlarged bicubically.
        mosaic: Bayer phase ("rggb", ...) if the input is seen as a mosaic; it is then interpolated
            linearly.
    """
    after = split(restored)
    colors = after.layers[..., : after.channels]
    if mosaic:
        cells = mosaic_reader(before, mosaic)(slice(None), slice(None))
        simple = demosaic_linear(cells[0, :1], mosaic).permute(1, 2, 0).numpy()
        blend(to_levels(simple, colors.dtype), colors, strength)
    else:
        blend(enlarged(before.layers[..., : before.channels], scale), colors, strength)


def enlarged(image: npt.NDArray[Any], scale: int) -> npt.NDArray[Any]:
    """Enlarge bicubically (OpenCV), to compare with an enlarging network.

    Args:
        image: (H, W, C), C up to 4.
        scale: Factor of height and width.
    """
    if scale == 1:
        return image
    height, width, channels = image.shape
    values = image.astype(np.float32) if image.dtype == np.float16 else image
    size = (width * scale, height * scale)
    large = cv2.resize(np.ascontiguousarray(values), size, interpolation=cv2.INTER_CUBIC)
    large = large.reshape(height * scale, width * scale, channels)
    return large.clip(0, 1).astype(image.dtype) if image.dtype.kind == "f" else large


def limit_noise(
    before: npt.NDArray[Any],
    after: npt.NDArray[Any],
    sigma: float,
    tick: Callable[[], None] = lambda: None,
) -> None:
    """Scale the removed part down to a standard deviation of `sigma`, where it has a larger one.

    Args:
        before: (H, W, C) color, uint8, uint16 or floating point in [0, 1].
        after: Restored version, of the same shape and type; changed in place.
        sigma: Standard deviation on the 0-255 scale.
        tick: Function called now and then; an error it raises ends the work.
    """
    count, total, squares = 0, 0.0, 0.0
    for rows in _bands(before):
        tick()
        change = _change(before, after, rows)
        count += change.size
        total += float(change.sum(dtype=np.float64))
        squares += float(np.square(change, dtype=np.float64).sum())
    deviation = math.sqrt(max(squares / count - (total / count) ** 2, 0.0))
    if deviation <= sigma:
        return
    for rows in _bands(before):
        tick()
        _apply(before, after, rows, _change(before, after, rows) * np.float32(sigma / deviation))


def limit_to_quality(
    before: npt.NDArray[Any],
    after: npt.NDArray[Any],
    quality: float,
    tick: Callable[[], None] = lambda: None,
) -> None:
    """Keep each DCT coefficient of the correction within half a quantisation step.

    Blocks are those of a JPEG file that begins at the first pixel. Color is taken as most files
    store it, at half the resolution in both directions; where a file keeps full resolution, the
    bound of the color is weaker than it could be.

    Args:
        before: (H, W, 1) or (H, W, 3), gray or RGB, uint8, uint16 or floating point in [0, 1].
        after: Restored version, of the same shape and type; changed in place.
        quality: JPEG quality, 1 to 100, of libjpeg's scale; rounded.
        tick: Function called now and then; an error it raises ends the work.
    """
    luma, chroma = _steps(round(quality))
    for rows in _bands(before):
        tick()
        change = _change(before, after, rows)
        if change.shape[2] == 1:
            limited = _limit_plane(change[..., 0], luma)[..., None]
        else:
            y, cb, cr = np.moveaxis(change @ _TO_YCC.T, 2, 0)
            planes = [_limit_plane(y, luma), _limit_halved(cb, chroma), _limit_halved(cr, chroma)]
            limited = np.stack(planes, axis=2) @ _TO_RGB.T
        _apply(before, after, rows, limited)


def _bands(image: npt.NDArray[Any]) -> Iterator[slice]:
    return (slice(top, top + _ROWS) for top in range(0, len(image), _ROWS))


def _change(before: npt.NDArray[Any], after: npt.NDArray[Any], rows: slice) -> Change:
    """Change that the network made, on the 0-255 scale."""
    difference = after[rows].astype(np.float32) - before[rows].astype(np.float32)
    return difference * np.float32(255 / _white(before.dtype))


def _apply(before: npt.NDArray[Any], after: npt.NDArray[Any], rows: slice, change: Change) -> None:
    white = _white(before.dtype)
    values = before[rows].astype(np.float32) + change * np.float32(white / 255)
    values = values.clip(0, white)
    after[rows] = np.rint(values) if before.dtype.kind == "u" else values


def _white(dtype: np.dtype[Any]) -> float:
    return float(np.iinfo(dtype).max) if dtype.kind == "u" else 1.0


def _limit_plane(change: Change, steps: Change) -> Change:
    """Limit the DCT coefficients of one plane (H, W); edge blocks are filled as libjpeg does."""
    height, width = change.shape
    padded = np.pad(change, ((0, -height % _BLOCK), (0, -width % _BLOCK)), mode="edge")
    rows, columns = padded.shape[0] // _BLOCK, padded.shape[1] // _BLOCK
    blocks = padded.reshape(rows, _BLOCK, columns, _BLOCK).swapaxes(1, 2)
    basis = _dct_basis()
    limited = basis.T @ (basis @ blocks @ basis.T).clip(-steps / 2, steps / 2) @ basis
    return limited.swapaxes(1, 2).reshape(padded.shape)[:height, :width]


def _limit_halved(change: Change, steps: Change) -> Change:
    """Limit a plane in the means of 2 x 2 pixels; what differs within these is not stored."""
    height, width = change.shape
    padded = np.pad(change, ((0, height % 2), (0, width % 2)), mode="edge")
    means = padded.reshape(padded.shape[0] // 2, 2, padded.shape[1] // 2, 2).mean(axis=(1, 3))
    excess = (means - _limit_plane(means, steps)).repeat(2, axis=0).repeat(2, axis=1)
    return change - excess[:height, :width]


def _dct_basis() -> Change:
    """The orthonormal DCT of 8 values, row by frequency (ITU-T T.81, A.3.3)."""
    frequency, place = np.mgrid[:_BLOCK, :_BLOCK]
    basis = np.sqrt(2 / _BLOCK) * np.cos((2 * place + 1) * frequency * np.pi / (2 * _BLOCK))
    basis[0] /= np.sqrt(2)
    return basis.astype(np.float32)


def _steps(quality: int) -> tuple[Change, Change]:
    """Quantisation steps (8, 8) of a quality of libjpeg: luma and chroma."""
    buffer = io.BytesIO()
    PIL.Image.new("RGB", (_BLOCK, _BLOCK)).save(buffer, "JPEG", quality=quality)
    with PIL.Image.open(buffer) as file:
        tables = file.quantization  # type: ignore[attr-defined]
    luma, chroma = (np.array(tables[i], np.float32).reshape(_BLOCK, _BLOCK) for i in (0, 1))
    return luma, chroma
