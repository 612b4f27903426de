"""Losses: pure functions on images, and the modules that option files name.

Mean absolute error, mean square and Charbonnier are BasicSR's `L1Loss`, `MSELoss` and
`CharbonnierLoss`, whose `eps` is added below the root: 1e-6 is the 1e-3 of most papers. Nothing
here needs BasicSR.
"""

from semanir_arch.losses.frequency_loss import FFTLoss, fft_loss
from semanir_arch.losses.perceptual_loss import VGGFeatureLoss, feature_distance
from semanir_arch.losses.psnr_loss import PSNRLoss, psnr_loss
from semanir_arch.losses.smooth_l1_loss import SmoothL1Loss

__all__ = [
    "LOSSES",
    "FFTLoss",
    "PSNRLoss",
    "SmoothL1Loss",
    "VGGFeatureLoss",
    "feature_distance",
    "fft_loss",
    "psnr_loss",
]

LOSSES: dict[str, type] = {
    loss.__name__: loss for loss in (FFTLoss, PSNRLoss, SmoothL1Loss, VGGFeatureLoss)
}
"""Losses that `semanir_arch.registration` registers."""
