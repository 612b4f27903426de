"""Structural similarity, in the four ways that published tables use.

Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, Image Quality Assessment: From Error
Visibility to Structural Similarity, IEEE Transactions on Image Processing 13(4), 2004: means,
variances and covariance under a window, K1 = 0.01, K2 = 0.03. The implementations that papers used
differ in the window, in what they do at the edge, and in whether the window reaches across colors;
on one pair of images that moves the value by more than most papers gain.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from semanir_arch.metrics.preparation import prepare_pair
from semanir_arch.utils.errors import InputError
from semanir_arch.utils.parallel import map_in_threads

_K1, _K2 = 0.01, 0.03

# Rows and columns worked on at once: tiles that stay in the processor's cache are twice as fast as
# whole images, threads share them, and the memory of one serves the next.
_TILE = (64, 256)


@dataclass(frozen=True)
class SsimKind:
    """One implementation of SSIM.

    Args:
        window: Width of the window in pixels, odd.
        sigma: Standard deviation of a Gaussian window; None for equal weights.
        border: 'valid': only places where the window lies inside the image; 'replicate' and
            'zero': every pixel, the image continued by its edge or by black.
        across_colors: Whether the window is a cube that reaches over the channels too.
        sample_covariance: Whether variances are divided by one less than the number of pixels.
        source: Programs that measure like this.
    """

    window: int
    sigma: float | None
    border: Literal["valid", "replicate", "zero"]
    across_colors: bool
    sample_covariance: bool
    source: str

    def weights(self) -> list[float]:
        """Weights of the window along one axis, sum 1."""
        if self.sigma is None:
            return [1 / self.window] * self.window
        bell: list[float] = cv2.getGaussianKernel(self.window, self.sigma)[:, 0].tolist()
        return bell

    def covariance_factor(self) -> float:
        """Factor that turns a weighted variance into this kind's."""
        pixels = self.window**2
        return pixels / (pixels - 1) if self.sample_covariance else 1.0

    def color_mixing(self, channels: int) -> NDArray[np.float64]:
        """Weights (channels, channels) of the window along the colors, edges replicated."""
        if not self.across_colors or channels == 1:
            return np.eye(channels)
        mixing = np.zeros((channels, channels))
        half = self.window // 2
        for channel in range(channels):
            for offset, weight in enumerate(self.weights(), start=-half):
                mixing[min(max(channel + offset, 0), channels - 1), channel] += weight
        return mixing


KINDS: dict[str, SsimKind] = {
    "wang": SsimKind(11, 1.5, "valid", False, False, "the authors' code; BasicSR, SwinIR, KAIR"),
    "matlab": SsimKind(11, 1.5, "replicate", True, False, "MATLAB's ssim; GoPro, HIDE, SIDD"),
    "skimage": SsimKind(7, None, "valid", False, True, "scikit-image's default; DPDD"),
    "zero_padded": SsimKind(11, 1.5, "zero", False, False, "GRL's metric in PyTorch"),
}
"""The kinds by the name that protocols and option files use."""


def ssim(
    x: Tensor,
    y: Tensor,
    *,
    crop_border: int = 0,
    color: str = "rgb",
    data_range: float | None = None,
    kind: str = "wang",
) -> Tensor:
    """Structural similarity of each image, mean over pixels and channels.

    Args:
        x: (C, H, W) or (B, C, H, W), gray or RGB, range [0, `data_range`]; at least as large as the
            window (11 x 11, 'skimage' 7 x 7) inside the border.
        y: The same shape; the order of the two does not matter.
        crop_border: Pixels to leave out at each edge.
        color: Color space, as for `psnr`.
        data_range: Value of white; None: by the type, as in `psnr`.
        kind: Variant, one of `KINDS`.

    Returns:
        (B,) float64 in [-1, 1]; 1 for identical images. One value for (C, H, W).

    Raises:
        ValueError: The image is smaller than the window, or see `prepare_pair`.

    Example:
        >>> import torch
        >>> image = torch.rand(1, 3, 16, 16)
        >>> ssim(image, image).item()
        1.0
    """
    chosen = find_kind(kind)
    x, y, white = prepare_pair(x, y, crop_border, color, data_range)
    _check_size(x, chosen)
    if x.device.type != "cpu":
        return _similarity_on_device(x.double(), y.double(), chosen, white).mean(dim=(1, 2, 3))
    means = [
        _mean(_tiles(a.numpy(), b.numpy(), chosen, white))
        for a, b in zip(x.detach(), y.detach(), strict=True)
    ]
    return torch.tensor(means, dtype=torch.float64)


def ssim_map(
    x: Tensor,
    y: Tensor,
    *,
    color: str = "rgb",
    data_range: float | None = None,
    kind: str = "wang",
) -> Tensor:
    """Structural similarity at every place of the window, for weighted means and for pictures.

    Args:
        x: (C, H, W), gray or RGB, range [0, `data_range`].
        y: The same shape.
        color: Color space, as for `psnr`.
        data_range: Value of white; None: by the type, as in `psnr`.
        kind: Variant, one of `KINDS`.

    Returns:
        (C, H, W) float64; `window` - 1 rows and columns less where `border` is 'valid'.

    Raises:
        ValueError: As `ssim`.
    """
    chosen = find_kind(kind)
    x, y, white = prepare_pair(x, y, 0, color, data_range)
    _check_size(x, chosen)
    arrays = [image[0].detach().cpu().numpy() for image in (x, y)]
    tiles = list(_tiles(arrays[0], arrays[1], chosen, white))
    places = np.empty((tiles[-1].bottom, tiles[-1].right, x.shape[1]))
    for tile in tiles:
        places[tile.top : tile.bottom, tile.left : tile.right] = tile.similarity
    return torch.from_numpy(places).permute(2, 0, 1)


def find_kind(name: str) -> SsimKind:
    """Look a kind up by name.

    Raises:
        ValueError: No such kind.
    """
    if name not in KINDS:
        raise InputError(f"SSIM kind must be one of {', '.join(KINDS)}, received {name!r}")
    return KINDS[name]


def _check_size(x: Tensor, kind: SsimKind) -> None:
    height, width = x.shape[-2:]
    if min(height, width) < kind.window:
        raise InputError(
            f"SSIM needs at least {kind.window} x {kind.window} pixels inside the border, "
            f"received {height} x {width}"
        )


@dataclass(frozen=True)
class _Tile:
    """Similarities (rows, columns, C) of a part of the places that count, from `top`, `left` on."""

    top: int
    left: int
    similarity: NDArray[np.float64]

    @property
    def bottom(self) -> int:
        return self.top + self.similarity.shape[0]

    @property
    def right(self) -> int:
        return self.left + self.similarity.shape[1]


def _mean(tiles: Iterator[_Tile]) -> float:
    total, count = 0.0, 0
    for tile in tiles:
        total += float(tile.similarity.sum())
        count += tile.similarity.size
    return total / count


def _tiles(x: NDArray[Any], y: NDArray[Any], kind: SsimKind, data_range: float) -> Iterator[_Tile]:
    """Similarities from the top left to the bottom right; x and y are (C, H, W)."""
    images = [_extended(image, kind) for image in (x, y)]
    kernel = np.array(kind.weights())
    mixing = kind.color_mixing(x.shape[0])
    half = kind.window // 2

    def blur(image: NDArray[Any]) -> NDArray[Any]:
        image = cv2.sepFilter2D(image, -1, kernel, kernel, borderType=cv2.BORDER_CONSTANT)
        image = image.reshape(*image.shape[:2], -1)[half:-half, half:-half]
        return image @ mixing if kind.across_colors else image

    def compare(place: tuple[int, int]) -> _Tile:
        part = tuple(
            slice(start, start + length + 2 * half)
            for start, length in zip(place, _TILE, strict=True)
        )
        a, b = (image[part].astype(np.float64) for image in images)
        added, difference = a + b, a - b
        means = blur(added), blur(difference)
        added *= added
        difference *= difference
        squares = blur(added), blur(difference)
        similarity = _similarity(means, squares, kind.covariance_factor(), data_range)
        return _Tile(*place, similarity)

    height, width = (length - 2 * half for length in images[0].shape[:2])
    places = product(range(0, height, _TILE[0]), range(0, width, _TILE[1]))
    yield from map_in_threads(compare, list(places))


def _extended(image: NDArray[Any], kind: SsimKind) -> NDArray[Any]:
    """A channel-first image as (H, W, C), continued so far that the window fits everywhere.

    Where only places inside the image count, it does already.
    """
    image = cv2.merge([np.ascontiguousarray(channel) for channel in image])
    if kind.border != "valid":
        border = cv2.BORDER_REPLICATE if kind.border == "replicate" else cv2.BORDER_CONSTANT
        half = kind.window // 2
        image = cv2.copyMakeBorder(image, half, half, half, half, border, value=0)
    return image.reshape(*image.shape[:2], -1)


def _similarity_on_device(x: Tensor, y: Tensor, kind: SsimKind, data_range: float) -> Tensor:
    """The same with PyTorch alone: (B, C, H, W) twice to a map of similarities (B, C, ...)."""
    half = kind.window // 2
    if kind.border != "valid":
        mode = "replicate" if kind.border == "replicate" else "constant"
        x, y = (pad(image, (half,) * 4, mode=mode) for image in (x, y))
    weights = kind.weights()
    mixing = torch.from_numpy(kind.color_mixing(x.shape[1])).to(x.device)

    def blur(image: Tensor) -> Tensor:
        for dim in (-1, -2):
            length = image.shape[dim] - 2 * half
            parts = (image.narrow(dim, i, length) * weight for i, weight in enumerate(weights))
            image = sum(parts, start=torch.zeros((), device=x.device, dtype=x.dtype))
        return torch.einsum("bchw,cd->bdhw", image, mixing) if kind.across_colors else image

    added, difference = x + y, x - y
    means = blur(added), blur(difference)
    squares = blur(added.square()), blur(difference.square())
    return _similarity(means, squares, kind.covariance_factor(), data_range)


def _similarity(
    means: tuple[Any, Any], squares: tuple[Any, Any], factor: float, data_range: float
) -> Any:
    """Equation 13 of the paper, written in sums s = x + y and differences d = x - y.

    4 mean(x) mean(y) = mean(s)^2 - mean(d)^2 and 4 cov(x, y) = var(s) - var(d); with plus instead
    of minus, twice the sums of squares and of variances. In place, because new memory would cost
    as much as the sums.

    Args:
        means: Weighted means of s and d, float64; overwritten.
        squares: Weighted means of s^2 and d^2, float64; overwritten.
        factor: Factor of the variances and the covariance.
        data_range: Value of white.
    """
    c1 = 2 * (_K1 * data_range) ** 2
    # divided by the factor, instead of the variances multiplied
    c2 = 2 * (_K2 * data_range) ** 2 / factor
    added, difference = means
    added *= added
    difference *= difference
    added_variance, difference_variance = squares
    added_variance -= added
    difference_variance -= difference
    similarity = _ratio(added, difference, c1)
    similarity *= _ratio(added_variance, difference_variance, c2)
    return similarity


def _ratio(added: Any, difference: Any, constant: float) -> Any:
    """(added - difference + constant) / (added + difference + constant); overwrites the first."""
    added += constant
    ratio = added - difference
    added += difference
    ratio /= added
    return ratio
