"""Blur kernels of real-world super-resolution: Gaussians of several shapes, and sinc filters.

X. Wang et al., Real-ESRGAN, arXiv 2107.10833, section 3.1 and appendix A; generalized Gaussian and
plateau-shaped kernels are those of Y.-Q. Liu et al., Estimating Generalized Gaussian Blur Kernels,
IEEE TMM 2020. With the covariance S and r2 = x' S^-1 x:

- Gaussian: exp(-r2 / 2)
- generalized: exp(-r2^b / 2); b below 1 has long tails, above 1 it is box-like
- plateau: 1 / (1 + r2^b)
- sinc: the ideal circular low-pass c J1(c r) / (2 pi r), cut off at the edge, which rings
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from semanir_arch.data.degradations.filtering import Limits, check_limits
from semanir_arch.utils.errors import InputError

__all__ = ["KERNELS", "LARGEST", "gaussian_kernel", "sinc_kernel"]

Kernel = NDArray[np.float32]

KERNELS = ("gaussian", "generalized", "plateau")
"""Profiles of `gaussian_kernel`."""

LARGEST = 51
"""Largest side of a kernel in pixels."""

LIMITS: Limits = {"sigma": (0.01, 20), "shape": (0.1, 10), "cutoff": (0.1, math.pi)}


def gaussian_kernel(
    size: int,
    sigma: float,
    sigma_across: float | None = None,
    angle: float = 0.0,
    *,
    profile: str = "gaussian",
    shape: float = 1.0,
) -> Kernel:
    """A kernel that is constant on ellipses.

    Args:
        size: Side in pixels, odd, 1 to `LARGEST`.
        sigma: Standard deviation along the first axis in pixels, 0.01 to 20.
        sigma_across: The same across it; None for a circle.
        angle: Angle between the first axis and the horizontal in radians, clockwise in the picture.
        profile: Shape of the kernel, one of `KERNELS`.
        shape: The exponent b, 0.1 to 10; without effect on "gaussian".

    Returns:
        (size, size), not negative, sum 1.

    Raises:
        ValueError: An argument is not allowed.
    """
    across = sigma if sigma_across is None else sigma_across
    rows, columns = _grid(size)
    check_limits(LIMITS, sigma=sigma, shape=shape)
    check_limits(LIMITS, sigma=across)
    along = math.cos(angle) * columns + math.sin(angle) * rows
    beside = -math.sin(angle) * columns + math.cos(angle) * rows
    squared = (along / sigma) ** 2 + (beside / across) ** 2
    if profile == "gaussian":
        kernel = np.exp(-squared / 2)
    elif profile == "generalized":
        kernel = np.exp(-(squared**shape) / 2)
    elif profile == "plateau":
        kernel = 1 / (1 + squared**shape)
    else:
        raise InputError(f"profile must be one of {', '.join(KERNELS)}, received {profile!r}")
    return (kernel / kernel.sum()).astype(np.float32)


def sinc_kernel(size: int, cutoff: float) -> Kernel:
    """The ideal low-pass filter for circles of frequencies, cut off to a square.

    Args:
        size: Side in pixels, odd, 1 to `LARGEST`.
        cutoff: Highest frequency that passes, in radians per pixel, 0.1 to pi.

    Returns:
        (size, size), with negative rings, sum 1.

    Raises:
        ValueError: An argument is not allowed.
    """
    rows, columns = _grid(size)
    check_limits(LIMITS, cutoff=cutoff)
    radius = np.hypot(rows, columns)
    bessel = torch.special.bessel_j1(torch.from_numpy(cutoff * radius)).numpy()
    center = size // 2
    radius[center, center] = 1
    kernel = cutoff * bessel / (2 * np.pi * radius)
    # the limit of J1(c r) / r at 0 is c / 2
    kernel[center, center] = cutoff**2 / (4 * np.pi)
    return (kernel / kernel.sum()).astype(np.float32)


def _grid(size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Offsets of every pixel from the middle one, down and to the right."""
    if size != int(size) or not 1 <= size <= LARGEST or size % 2 == 0:
        raise InputError(f"a kernel's side must be odd, 1 to {LARGEST}, received {size}")
    steps = np.arange(int(size)) - (int(size) - 1) / 2
    rows, columns = np.meshgrid(steps, steps, indexing="ij")
    return rows, columns
