"""Image quality: pure functions on tensors, named protocols, and BasicSR's form of both."""

from semanir_arch.metrics.color import quantize_uint8, rgb_to_gray, rgb_to_y
from semanir_arch.metrics.mae import mae
from semanir_arch.metrics.perceptual import lpips
from semanir_arch.metrics.protocols import PROTOCOLS, Protocol
from semanir_arch.metrics.psnr import psnr
from semanir_arch.metrics.psnr_b import psnr_b
from semanir_arch.metrics.registered import REGISTERED, semanir_psnr, semanir_ssim
from semanir_arch.metrics.ssim import ssim, ssim_map

__all__ = [
    "PROTOCOLS",
    "REGISTERED",
    "Protocol",
    "lpips",
    "mae",
    "psnr",
    "psnr_b",
    "quantize_uint8",
    "rgb_to_gray",
    "rgb_to_y",
    "semanir_psnr",
    "semanir_ssim",
    "ssim",
    "ssim_map",
]
