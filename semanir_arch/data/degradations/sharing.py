"""What happens to a picture after it was taken: it is resized and compressed, perhaps again.

Second resizing and compression follow K. Zhang et al., Designing a Practical Degradation Model for
Deep Blind Image Super-Resolution, ICCV 2021 (arXiv 2103.14006), and X. Wang et al., Real-ESRGAN,
ICCVW 2021 (arXiv 2107.10833); shares and ranges are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semanir_arch.data.degradations.camera_finish import FILTERS, resize
from semanir_arch.data.degradations.codecs import Codec, through_file
from semanir_arch.data.degradations.declaration import Chance, Declared, Draws, Number, Settings

__all__ = ["NOTHING", "SETTINGS", "Again", "Sharing", "draw_sharing", "share"]

Pixels = NDArray[np.float32]

SETTINGS: Declared = {
    "resize_prob": Chance(0.25, "share of pictures that are resized"),
    "resize": Number([0.6, 1.7], 0.1, 8, "factor of the resizing"),
    "codec_prob": Chance(0.75, "share of pictures that are compressed"),
    "quality": Number([80, 99], 1, 100, "quality of JPEG or WebP", whole=True),
    "low_prob": Chance(0.2, "share of compressed pictures whose quality is `low_quality`"),
    "low_quality": Number([45, 80], 1, 100, "quality of JPEG or WebP", whole=True),
    "full_chroma_prob": Chance(0.3, "share of JPEG files with chroma at full resolution, 4:4:4"),
    "webp_prob": Chance(0.06, "share of compressed pictures that are WebP instead of JPEG"),
    "again_prob": Chance(0.12, "share of pictures that are cut, resized and compressed again"),
    "again_resize": Number([0.75, 1.25], 0.1, 8, "factor of the second resizing"),
}
"""Everything that `draw_sharing` draws."""

_BLOCK = 8


@dataclass(frozen=True)
class Again:
    """A second round.

    Args:
        shift: Rows and columns that are cut off at the top left, so that grids do not align.
        scale: Factor of the size.
        codec: Codec of the second file.
    """

    shift: tuple[int, int]
    scale: float
    codec: Codec


@dataclass(frozen=True)
class Sharing:
    """Resizing and compression of a finished picture.

    Args:
        scale: Factor of the size.
        method: Interpolation of the resizing, one of `camera_finish.FILTERS`.
        codec: Codec of the file; None for an uncompressed file.
        again: Second resizing and compression; None for none.
    """

    scale: float = 1.0
    method: str = "bicubic"
    codec: Codec | None = None
    again: Again | None = None

    @property
    def total_scale(self) -> float:
        """Sides of the result relative to those of the picture, but for what is cut off."""
        return self.scale * (self.again.scale if self.again else 1)


NOTHING = Sharing()
"""Neither resized nor compressed."""


def draw_sharing(settings: Settings, rng: np.random.Generator) -> Sharing:
    """Draw what happens to one picture.

    Args:
        settings: Values of `SETTINGS`, from `parse_settings`.
        rng: Source of randomness.
    """
    draws = Draws(settings, rng)
    scale = draws.value("resize")
    is_resized = draws.happens("resize_prob")
    method = list(FILTERS)[rng.integers(len(FILTERS))]
    first, second = _draw_codec(draws), _draw_codec(draws)
    is_compressed = draws.happens("codec_prob")
    shift = int(rng.integers(_BLOCK)), int(rng.integers(_BLOCK))
    again = Again(shift, draws.value("again_resize"), second)
    return Sharing(
        scale if is_resized else 1.0,
        method,
        first if is_compressed else None,
        again if draws.happens("again_prob") else None,
    )


def share(image: Pixels, sharing: Sharing, *, is_lossy: bool = True) -> Pixels:
    """A picture after all that.

    Args:
        image: (H, W, 3) RGB, range [0, 1]; others are clipped.
        sharing: Steps to apply.
        is_lossy: Whether it is compressed and rounded; otherwise it is only cut and resized, to
            the same size.

    Returns:
        (H, W, 3) float32 in [0, 1]; if lossy, the values of 8 bits.
    """
    image = _scaled(image, sharing.scale, sharing.method)
    if is_lossy:
        image = through_file(image, sharing.codec)
    if sharing.again is not None:
        top, left = sharing.again.shift
        image = _scaled(image[top:, left:], sharing.again.scale, sharing.method)
        if is_lossy:
            image = through_file(image, sharing.again.codec)
    return image.clip(0, 1).astype(np.float32)


def _scaled(image: Pixels, scale: float, method: str) -> Pixels:
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    return resize(np.ascontiguousarray(image), height, width, method)


def _draw_codec(draws: Draws) -> Codec:
    usual, low = (draws.value(name) for name in ("quality", "low_quality"))
    is_low, is_full, is_webp = (
        draws.happens(f"{name}_prob") for name in ("low", "full_chroma", "webp")
    )
    return Codec(
        "webp" if is_webp else "jpeg",
        int(low if is_low else usual),
        "4:4:4" if is_full else "4:2:0",
    )
