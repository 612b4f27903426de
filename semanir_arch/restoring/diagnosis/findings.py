"""One picture looked at: noise, compression, sharpness, light, size, color."""

from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from semanir_arch.data.files.bounds import opened
from semanir_arch.data.files.image_io import Image
from semanir_arch.restoring.diagnosis.blocks import (
    Compression,
    find_compression,
    quality_of_tables,
)
from semanir_arch.restoring.diagnosis.noise_level import Noise, measure_noise

__all__ = ["Diagnosis", "diagnose", "diagnose_data", "diagnose_file"]

_MOST_PIXELS = 2**21
"""Most pixels to inspect; of larger pictures only the middle is used."""

# Color noise of deviation s on each of R, G and B shows as so much brightness and color.
_LUMA, _CHROMA = 0.669, 0.588

_GRAY = 2
"""Channels that differ by no more levels are those of a gray picture."""

_DARK = 45.0
"""Mean brightness below which, with few bright parts, a picture is dark."""

_SHARP = 0.34
"""Part of a strong edge's height that one pixel of a sharp picture takes at least."""


@dataclass(frozen=True)
class Diagnosis:
    """Measurements of a picture.

    Args:
        height: Height in pixels.
        width: Width in pixels.
        gray: Whether there is no color, whatever the file's channels.
        noise: Noise of brightness and color.
        sigma: Standard deviation of equal, independent noise on each channel that would measure
            as much, on the 0-255 scale.
        compression: Compression of the file, or of a file it was made from; None if not, or not
            visibly, compressed.
        edges: Part of the height of strong edges that lies between two neighbors: about 0.25 for
            a blurred picture, more for a sharp one; 1 for a picture without edges.
        brightness: Mean of the luma, 0-255.
        highlights: Luma that 5 % of the pixels exceed.
    """

    height: int
    width: int
    gray: bool
    noise: Noise
    sigma: float
    compression: Compression | None
    edges: float
    brightness: float
    highlights: float

    @property
    def dark(self) -> bool:
        """Whether there is little light anywhere."""
        return self.brightness < _DARK and self.highlights < 3 * _DARK

    @property
    def soft(self) -> bool:
        """Whether even strong edges are spread over several pixels."""
        return self.edges < _SHARP

    def facts(self) -> dict[str, Any]:
        """Everything, as plain values."""
        facts = asdict(self)
        facts["noise"]["correlation"] = self.noise.correlation
        return facts | {"dark": self.dark, "soft": self.soft}


def diagnose(
    image: npt.NDArray[Any], tables: dict[int, Any] | None = None, *, compressed: bool = True
) -> Diagnosis:
    """Look at a picture.

    Args:
        image: (H, W), (H, W, 1 to 4), gray or RGB, perhaps with alpha, which is not looked at;
            uint8, uint16 or floating point in [0, 1].
        tables: Quantisation tables of the JPEG file it comes from.
        compressed: Whether to look for traces of compression in the pixels.
    """
    layers = image[..., None] if image.ndim == 2 else image
    pixels = _middle(layers[..., : 1 if layers.shape[2] <= 2 else 3])
    white = float(np.iinfo(image.dtype).max) if image.dtype.kind == "u" else 1.0
    values = pixels.astype(np.float32) * np.float32(255 / white)
    gray = values.shape[2] == 1 or bool(np.ptp(values, axis=2).max() <= _GRAY)
    if gray:
        values = values.mean(axis=2, keepdims=True)
    luma = values[..., 0] if gray else values @ np.array([0.299, 0.587, 0.114], np.float32)
    noise = measure_noise(values)
    sigma = noise.luma if gray else max(noise.luma / _LUMA, noise.chroma / _CHROMA)
    quality = quality_of_tables(tables or {})
    found = find_compression(luma) if compressed and quality is None else None
    return Diagnosis(
        height=layers.shape[0],
        width=layers.shape[1],
        gray=gray,
        noise=noise,
        sigma=sigma,
        compression=found if quality is None else Compression(quality, in_file=True),
        edges=_edges(luma),
        brightness=float(luma.mean()),
        highlights=float(np.percentile(luma, 95)),
    )


def diagnose_file(image: Image, path: Path) -> Diagnosis:
    """Look at a file that was read.

    Args:
        image: Result of `load_image`.
        path: The file, whose tables are read if it is JPEG.
    """
    return diagnose_data(image, path.read_bytes(), path.name)


def diagnose_data(image: Image, data: bytes, name: str) -> Diagnosis:
    """Look at an image that was decoded.

    Args:
        image: Result of `decode_image`.
        data: The file, whose tables are read if it is JPEG.
        name: Name of the file.
    """
    tables: dict[int, Any] = {}
    with contextlib.suppress(ValueError), opened(data, name) as file:
        tables = dict(getattr(file.file, "quantization", None) or {})
    return diagnose(image.pixels, tables)


def _middle(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A part of a large picture, in its own resolution, beginning where blocks begin."""
    height, width = pixels.shape[:2]
    share = (_MOST_PIXELS / (height * width)) ** 0.5
    if share >= 1:
        return pixels
    rows, columns = (int(length * share) for length in (height, width))
    top, left = ((a - b) // 2 // 8 * 8 for a, b in ((height, rows), (width, columns)))
    return pixels[top : top + rows, left : left + columns]


def _edges(luma: npt.NDArray[np.float32]) -> float:
    """Steepness of the strongest edges: the median share of one step in four."""
    if min(luma.shape) < 16:
        return 1.0
    shares = []
    for plane in (luma, luma.T):
        step = np.abs(np.diff(plane, axis=1))
        four = np.abs(plane[:, 4:] - plane[:, :-4])
        steepest = np.max([step[:, i : i + four.shape[1]] for i in range(4)], axis=0)
        strong = four > max(float(np.quantile(four, 0.98)), 24.0)
        if strong.any():
            shares.append(float(np.median((steepest / np.maximum(four, 1.0))[strong])))
    return min(1.0, max(shares, default=1.0))
