"""Alignment of a restored image with a target from a second camera, as RealBlur is measured.

J. Rim, H. Lee, J. Won, S. Cho, Real-World Blur Dataset for Learning and Benchmarking Deblurring
Algorithms, ECCV 2020: blurred and sharp pictures come from two cameras, so before scoring the
brightness is matched by one factor and the restored image is moved by a homography, found with
G. D. Evangelidis, E. Z. Psarakis, Parametric Image Alignment using Enhanced Correlation
Coefficient Maximization, 2008. Only pixels that the moved image covers are compared.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from semanir_arch.metrics.ssim import find_kind, ssim_map
from semanir_arch.utils.errors import InputError

_ITERATIONS = 100
_BLUR = 5


class Aligned(NamedTuple):
    """A restored image on the pixel grid of its target.

    Args:
        image: (3, H, W) float64, black outside `mask`.
        mask: (H, W) float64, 1 where the moved image covers the pixel, else 0.
    """

    image: Tensor
    mask: Tensor


def align(restored: Tensor, target: Tensor) -> Aligned:
    """Match brightness and position of a restored image with those of its target.

    Args:
        restored: (3, H, W) RGB, float, range [0, 1].
        target: The same shape.

    Raises:
        ValueError: Other shapes, or the search for the homography finds nothing (flat images).
    """
    if restored.shape != target.shape or target.dim() != 3 or target.shape[0] != 3:
        raise InputError(
            "alignment needs two RGB images of shape (3, H, W), "
            f"received {tuple(restored.shape)} and {tuple(target.shape)}"
        )
    image, reference = (
        np.ascontiguousarray(x.permute(1, 2, 0).cpu().numpy().astype(np.float32))
        for x in (restored, target)
    )
    image *= (reference * image).sum() / max(float((image * image).sum()), 1e-12)
    height, width = image.shape[:2]
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _ITERATIONS, 0)
    grays = [cv2.cvtColor(x, cv2.COLOR_RGB2GRAY) for x in (reference, image)]
    start, everywhere = np.eye(3, dtype=np.float32), np.ones((height, width), np.uint8)
    try:
        _, homography = cv2.findTransformECC(
            grays[0], grays[1], start, cv2.MOTION_HOMOGRAPHY, criteria, everywhere, _BLUR
        )
    except cv2.error as error:
        raise InputError("the restored image cannot be aligned with its target") from error
    moved = cv2.warpPerspective(
        image,
        homography,
        (width, height),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT,
    )
    mask = cv2.warpPerspective(
        np.ones((height, width), np.float32),
        homography,
        (width, height),
        flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    covered = torch.from_numpy(mask).double()
    return Aligned(torch.from_numpy(moved).permute(2, 0, 1).double() * covered, covered)


def aligned_scores(restored: Tensor, target: Tensor) -> dict[str, float]:
    """PSNR and SSIM after alignment, over the covered pixels.

    Args:
        restored: (3, H, W) RGB, float, range [0, 1].
        target: The same shape, at least 11 x 11 pixels.

    Returns:
        `psnr` in decibel and `ssim` (Wang's window).

    Raises:
        ValueError: See `align`.
    """
    image, mask = align(restored, target)
    reference = target.double().cpu() * mask
    error = (image - reference).square().sum() / (3 * mask.sum())
    half = find_kind("wang").window // 2
    weights = mask[half:-half, half:-half]
    similarity = (ssim_map(image, reference) * weights).sum() / (3 * weights.sum())
    return {"psnr": (-10 * error.log10()).item(), "ssim": similarity.item()}
