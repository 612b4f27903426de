"""Fingerprints by which two images of the same picture are recognized.

`Fingerprint.whole` is a perceptual hash of the whole picture: the signs of its lowest frequencies
(Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010). It finds copies
that were resized, compressed again or turned gray.

`Fingerprint.keys` are hashes of small windows around blobs, which lie at the same places of the
picture however it was cut. They find crops at the same resolution: test images in training patches
and the other way round.

Neither finds pictures that are mirrored or turned, crops that were resized, and other photographs
of the same scene.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
Places = NDArray[np.int32]

_SIDE = 32
_LOWEST = 8
_FINE, _COARSE = 1.6, 3.2
_RADIUS = 6
_HALF_WINDOW = 12
_WINDOW_FREQUENCIES = 6
# differences of Gaussians, on the 0-255 scale: weaker blobs are noise
_CONTRAST = 1.5
# of a blob to an edge, as in Lowe's detector
_ROUNDNESS = 10.0


@dataclass(frozen=True)
class Fingerprint:
    """Facts of an image that are compared.

    Args:
        whole: 64 bits, as one number.
        keys: (N,) hashes of windows.
        places: (N, 2) their centres, row and column in pixels.
    """

    whole: int
    keys: Keys
    places: Places


def fingerprint(pixels: NDArray[Any]) -> Fingerprint:
    """The fingerprint of an image.

    Args:
        pixels: (H, W, C), uint8 or uint16, RGB order; alpha is passed over.
    """
    gray = _gray(pixels)
    keys, places = _windows(gray)
    return Fingerprint(_whole(gray), keys, places)


def _gray(pixels: NDArray[Any]) -> NDArray[np.float32]:
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    if pixels.shape[2] >= 3:
        gray = cv2.cvtColor(np.ascontiguousarray(pixels[..., :3]), cv2.COLOR_RGB2GRAY)
    else:
        gray = np.ascontiguousarray(pixels[..., 0])
    return gray.astype(np.float32)


def _whole(gray: NDArray[np.float32]) -> int:
    small = cv2.resize(gray, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    lowest = cv2.dct(small)[:_LOWEST, :_LOWEST].ravel()
    lowest[0] = 0
    return int(np.packbits(lowest > np.median(lowest)).view(">u8")[0])


def _windows(gray: NDArray[np.float32]) -> tuple[Keys, Places]:
    fine = cv2.GaussianBlur(gray, (0, 0), _FINE)
    blobs = _blobs(fine - cv2.GaussianBlur(gray, (0, 0), _COARSE))
    height, width = gray.shape
    inside = (blobs >= _HALF_WINDOW).all(axis=1)
    inside &= (blobs < np.array([height, width]) - _HALF_WINDOW).all(axis=1)
    places = blobs[inside].astype(np.int32)
    offsets = np.arange(-_HALF_WINDOW, _HALF_WINDOW)
    rows = places[:, 0, None, None] + offsets[:, None]
    columns = places[:, 1, None, None] + offsets
    low, high = _frequencies()
    spectrum = low @ fine[rows, columns] @ low.T
    bits = (spectrum.reshape(-1, _WINDOW_FREQUENCIES**2)[:, high] > 0).astype(np.uint64)
    keys = bits @ (np.uint64(1) << np.arange(len(high), dtype=np.uint64))
    return keys, places


def _blobs(response: NDArray[np.float32]) -> NDArray[np.intp]:
    """Rows and columns of the extrema of a response that are blobs and no edges."""
    strength = np.abs(response)
    neighbourhood = np.ones((2 * _RADIUS + 1,) * 2, np.uint8)
    peaks = (strength == cv2.dilate(strength, neighbourhood)) & (strength > _CONTRAST)
    peaks[[0, -1]] = peaks[:, [0, -1]] = False
    row, column = np.nonzero(peaks)
    here = response[row, column]
    down = response[row + 1, column] + response[row - 1, column] - 2 * here
    across = response[row, column + 1] + response[row, column - 1] - 2 * here
    mixed = (
        response[row + 1, column + 1]
        + response[row - 1, column - 1]
        - response[row + 1, column - 1]
        - response[row - 1, column + 1]
    ) / 4
    determinant = down * across - mixed**2
    trace = down + across
    limit = (_ROUNDNESS + 1) ** 2 / _ROUNDNESS
    round_enough = (determinant > 0) & (trace**2 < limit * determinant)
    return np.stack([row, column], axis=1)[round_enough]


@cache
def _frequencies() -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Lowest rows of the cosine transform of a window, and which products of two are used."""
    length = 2 * _HALF_WINDOW
    order = np.arange(_WINDOW_FREQUENCIES)[:, None]
    basis = np.cos(np.pi * (np.arange(length) + 0.5) * order / length).astype(np.float32)
    sums = np.add.outer(np.arange(_WINDOW_FREQUENCIES), np.arange(_WINDOW_FREQUENCIES)).ravel()
    # without the mean, which says nothing about the picture
    return basis, np.flatnonzero(sums > 0)
