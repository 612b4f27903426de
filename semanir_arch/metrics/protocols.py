"""How published tables are measured, as named presets.

A figure means little without its protocol: colour space, rounding, border and the kind of SSIM move
it by more than most papers gain (`docs/metrics.md`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from semanir_arch.metrics.color import quantize_uint8
from semanir_arch.metrics.psnr import psnr
from semanir_arch.metrics.ssim import WINDOW, ssim


@dataclass(frozen=True)
class Protocol:
    """One way of measuring.

    Scores of a set are the mean over its images of the score of each image. The PSNR of identical
    images is infinite: report it, and leave it out of a mean only with a word about it.

    Args:
        name: What option files and tables call it.
        color: Channels compared: 'rgb', 'y' (BT.601 studio range, not rounded) or 'gray'.
        rounding: Whether restored image and target are clamped and rounded to 8 bits first.
        crop_border: Pixels left out at each edge; 'scale' stands for the scale of super-resolution.
        ssim_kind: 'wang': the authors' 11 x 11 Gaussian window, valid region, mean of the channels.
        source: Which published code measures like this.
    """

    name: str
    color: Literal["rgb", "y", "gray"]
    rounding: bool
    crop_border: int | Literal["scale"]
    ssim_kind: Literal["wang"]
    source: str

    def evaluate(
        self, restored: Tensor, target: Tensor, scale: int | None = None
    ) -> dict[str, float]:
        """Score one image.

        Args:
            restored: (C, H, W) or (1, C, H, W), gray or RGB, float, range [0, 1]; may exceed it.
            target: The same shape.
            scale: Of super-resolution; needed where `crop_border` is 'scale'.

        Returns:
            `psnr` in decibel, `inf` for identical images; `ssim`, `nan` where fewer than 11 x 11
            pixels lie inside the border, for which it is not defined.

        Raises:
            ValueError: `scale` is missing, or the images do not fit (`preparation.prepare_pair`).
        """
        border = self._border(scale)
        if self.rounding:
            pair = quantize_uint8(restored), quantize_uint8(target)
            data_range = 255.0
        else:
            pair = restored, target
            data_range = 1.0
        ratio = psnr(*pair, crop_border=border, color=self.color, data_range=data_range)
        similarity = math.nan
        if min(target.shape[-2:]) - 2 * border >= WINDOW:
            similarity = ssim(
                *pair, crop_border=border, color=self.color, data_range=data_range
            ).item()
        return {"psnr": ratio.item(), "ssim": similarity}

    def _border(self, scale: int | None) -> int:
        if self.crop_border != "scale":
            return self.crop_border
        if scale is None:
            raise ValueError(f"protocol {self.name} cuts a border of scale pixels: give the scale")
        return scale


PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            name="denoise_rgb",
            color="rgb",
            rounding=True,
            crop_border=0,
            ssim_kind="wang",
            source="SwinIR and Restormer, colour denoising (CBSD68, Kodak24, McMaster, Urban100)",
        ),
        Protocol(
            name="denoise_gray",
            color="gray",
            rounding=True,
            crop_border=0,
            ssim_kind="wang",
            source="SwinIR and Restormer, gray denoising (Set12, BSD68, Urban100)",
        ),
        Protocol(
            name="sr_y",
            color="y",
            rounding=True,
            crop_border="scale",
            ssim_kind="wang",
            source="BasicSR and SwinIR, super-resolution (Set5, Set14, BSD100, Urban100, Manga109)",
        ),
    )
}
"""Presets by name."""
