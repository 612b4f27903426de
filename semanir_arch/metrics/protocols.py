"""How published tables are measured, as named presets.

A figure means little without its protocol: color space, rounding, border and the kind of SSIM move
it by more than most papers gain (`docs/metrics.md`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from semanir_arch.metrics.alignment import aligned_scores
from semanir_arch.metrics.color import quantize_uint8, to_unit_range
from semanir_arch.metrics.mae import mae
from semanir_arch.metrics.psnr import psnr
from semanir_arch.metrics.psnr_b import psnr_b
from semanir_arch.metrics.ssim import KINDS, ssim
from semanir_arch.utils.errors import InputError

_EXTRAS: dict[str, Callable[..., Tensor]] = {"psnr_b": psnr_b, "mae": mae}


@dataclass(frozen=True)
class Protocol:
    """One way of measuring.

    The score of a set is the mean of the scores of its parts, never that of a mean error. The PSNR
    of identical images is infinite: report it, and leave it out of a mean only with a word about
    it.

    Args:
        name: Name in option files and tables.
        task: Task that it measures, a key of `semanir_arch.tasks.TASKS`.
        color: Channels compared: 'rgb', 'y' (BT.601 studio range, not rounded), 'y_rounded' (the
            same in 8 bits) or 'gray'.
        ssim_kind: Variant of SSIM, one of `ssim.KINDS`.
        source: Published code that measures like this.
        rounding: Whether restored image and target are rounded to 8 bits first; the restored image
            is clamped to [0, 1] in any case.
        crop_border: Pixels left out at each edge; 'scale' stands for the scale of super-resolution.
        extras: Scores beside PSNR and SSIM: 'psnr_b' and 'mae'.
        aligned: Whether the restored image is first aligned with its target (`alignment`).
        averaging: Unit over which the scores of a set are averaged.
    """

    name: str
    task: str
    color: Literal["rgb", "y", "y_rounded", "gray"]
    ssim_kind: Literal["wang", "matlab", "skimage", "zero_padded"]
    source: str
    rounding: bool = True
    crop_border: int | Literal["scale"] = 0
    extras: tuple[Literal["psnr_b", "mae"], ...] = ()
    aligned: bool = False
    averaging: str = "the images"

    @property
    def scores(self) -> tuple[str, ...]:
        """Names of the scores that `evaluate` gives."""
        return ("psnr", "ssim", *self.extras)

    @property
    def description(self) -> str:
        """Everything but the source in one line."""
        border = f"without a border of {self.crop_border} pixels"
        parts = [
            {"rgb": "R, G and B", "y": "Y", "y_rounded": "Y in 8 bits", "gray": "gray"}[self.color],
            "rounded to 8 bits" if self.rounding else "not rounded",
            border if self.crop_border else "no border cut",
            f"SSIM '{self.ssim_kind}'",
            *(name.upper().replace("_", "-") for name in self.extras),
            "aligned with the target first" if self.aligned else "",
            f"mean over {self.averaging}",
        ]
        return ", ".join(part for part in parts if part)

    def evaluate(
        self, restored: Tensor, target: Tensor, scale: int | None = None
    ) -> dict[str, float]:
        """Score one image.

        Args:
            restored: (C, H, W) or (1, C, H, W), gray or RGB; float in [0, 1], which it may exceed,
                or uint8 or uint16 as a file stores it.
            target: The same shape.
            scale: Scale of super-resolution; needed if `crop_border` is 'scale'.

        Returns:
            Scores as from `evaluate_batch`, one number each.

        Raises:
            TypeError: See `evaluate_batch`.
            ValueError: There are several images, or see `evaluate_batch`.
        """
        if restored.dim() == 4 and len(restored) != 1:
            raise InputError(f"evaluate takes one image, received {len(restored)}: evaluate_batch")
        scores = self.evaluate_batch(restored, target, scale)
        return {name: value.item() for name, value in scores.items()}

    def evaluate_batch(
        self, restored: Tensor, target: Tensor, scale: int | None = None
    ) -> dict[str, Tensor]:
        """Score images of one size, each by itself, on the device they lie on.

        Args:
            restored: (B, C, H, W) or (C, H, W); otherwise as in `evaluate`. Images of several sizes
                are several batches: padding would be compared too.
            target: The same shape.
            scale: Scale of super-resolution, as for `evaluate`.

        Returns:
            (B,) float64 each: `psnr` in decibel, `inf` for identical images; `ssim`; what `extras`
            names. A score that is not defined for so small images is `nan`: SSIM below its window
            (11 x 11 or 7 x 7 pixels inside the border), PSNR-B below 9 x 9.

        Raises:
            TypeError: The images are integers other than uint8 and uint16.
            ValueError: `scale` is missing, values are not finite, or the images do not fit
                (`preparation.prepare_pair`).
        """
        border = self.border(scale)
        restored, target = to_unit_range(restored), to_unit_range(target)
        if self.rounding:
            pair = quantize_uint8(restored), quantize_uint8(target)
        else:
            pair = restored.clamp(0, 1), target
        if self.aligned:
            return _aligned_scores(*pair)
        inside = min(target.shape[-2:]) - 2 * border
        compared = {"crop_border": border, "color": self.color}
        scores = {"psnr": psnr(*pair, **compared)}  # type: ignore[arg-type]
        undefined = torch.full_like(scores["psnr"], math.nan)
        scores["ssim"] = (
            ssim(*pair, **compared, kind=self.ssim_kind)  # type: ignore[arg-type]
            if inside >= KINDS[self.ssim_kind].window
            else undefined
        )
        for name in self.extras:
            defined = name != "psnr_b" or inside > 8
            scores[name] = _EXTRAS[name](*pair, **compared) if defined else undefined
        return scores

    def border(self, scale: int | None = None) -> int:
        """Pixels left out at each edge.

        Args:
            scale: Scale of super-resolution; ignored if the border does not depend on it.

        Raises:
            ValueError: The border depends on the scale, and that is missing or below 1.
        """
        if self.crop_border != "scale":
            return self.crop_border
        if scale is None:
            raise InputError(f"protocol {self.name} cuts a border of scale pixels: give the scale")
        if scale < 1:
            raise InputError(f"scale must be 1 or more, received {scale}")
        return scale


def _aligned_scores(restored: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Scores after alignment of every image, uint8 or float."""
    batches = [to_unit_range(x).reshape(-1, *x.shape[-3:]) for x in (restored, target)]
    scores = [aligned_scores(*pair) for pair in zip(*batches, strict=True)]
    return {
        name: torch.tensor([image[name] for image in scores], dtype=torch.float64)
        for name in scores[0]
    }


_ALL = (
    Protocol(
        "denoise_rgb",
        "denoise",
        "rgb",
        "wang",
        "SwinIR, Restormer: CBSD68, Kodak24, McMaster, Urban100",
    ),
    Protocol(
        "denoise_gray", "denoise_gray", "gray", "wang", "SwinIR, Restormer: Set12, BSD68, Urban100"
    ),
    Protocol(
        "sr_y",
        "sr",
        "y",
        "wang",
        "BasicSR, SwinIR, RAMiT: Set5, Set14, BSD100, Urban100, Manga109",
        crop_border="scale",
    ),
    Protocol(
        "sr_y_semanir",
        "sr",
        "y_rounded",
        "zero_padded",
        "GRL's code, with which SemanIR's super-resolution tables were measured",
        crop_border="scale",
    ),
    Protocol(
        "jpeg_gray",
        "jpeg_gray",
        "gray",
        "wang",
        "SwinIR, KAIR: classic5, LIVE1",
        extras=("psnr_b",),
    ),
    Protocol(
        "jpeg_gray_semanir",
        "jpeg_gray",
        "gray",
        "zero_padded",
        "GRL's code, with which SemanIR's gray JPEG tables were measured",
        extras=("psnr_b",),
    ),
    Protocol("jpeg_color", "jpeg", "rgb", "wang", "FBCNN: LIVE1, BSDS500, ICB", extras=("psnr_b",)),
    Protocol(
        "jpeg_color_semanir",
        "jpeg",
        "rgb",
        "zero_padded",
        "GRL's code, with which SemanIR's color JPEG tables were measured",
        extras=("psnr_b",),
    ),
    Protocol("demosaick_rgb", "demosaic", "rgb", "wang", "GRL, SemanIR (PSNR): Kodak24, McMaster"),
    Protocol(
        "derain_y_matlab",
        "derain",
        "y_rounded",
        "wang",
        "Restormer's and MPRNet's MATLAB scripts: Test100, Rain100H, Rain100L, Test2800, Test1200",
    ),
    Protocol("derain_y", "derain", "y", "wang", "RAMiT and most Python code: the same five sets"),
    Protocol("deblur_matlab", "deblur", "rgb", "matlab", "MATLAB's psnr and ssim: GoPro, HIDE"),
    Protocol(
        "realblur_aligned",
        "deblur",
        "rgb",
        "wang",
        "RealBlur's own script: RealBlur-J, -R",
        aligned=True,
        averaging="the images, each over the pixels that the aligned image covers",
    ),
    Protocol(
        "defocus_float",
        "defocus",
        "rgb",
        "skimage",
        "Restormer, DPDNet: DPDD, single image and dual pixel",
        rounding=False,
        extras=("mae",),
    ),
    Protocol(
        "sidd_blocks",
        "real_denoise",
        "rgb",
        "matlab",
        "Restormer's MATLAB script: the 1280 validation blocks of SIDD",
        rounding=False,
        averaging="the blocks",
    ),
    Protocol(
        "lowlight_rgb", "lowlight", "rgb", "wang", "RAMiT: LOL, VE-LOL, without rescaled brightness"
    ),
    Protocol("weather_y", "weather", "y", "wang", "WeatherDiffusion: Test1, RainDrop, Snow100K-L"),
    Protocol(
        "weather_rgb", "weather", "rgb", "wang", "whole images, all channels: the same three sets"
    ),
)

PROTOCOLS: dict[str, Protocol] = {protocol.name: protocol for protocol in _ALL}
"""Presets by name."""
