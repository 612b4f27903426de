"""Image files, degradations and data sets. Nothing here needs BasicSR."""

from semanir_arch.data.datasets.bicubic_sr_dataset import BicubicSRDataset
from semanir_arch.data.datasets.degraded import (
    DEGRADED,
    OldPhotographDataset,
    PhotographicBlurDataset,
    SecondOrderDataset,
    ShuffledDamageDataset,
    SyntheticDefocusDataset,
    SyntheticLowLightDataset,
    SyntheticMotionBlurDataset,
    SyntheticRainDataset,
    SyntheticRaindropsDataset,
    SyntheticSnowDataset,
)
from semanir_arch.data.datasets.demosaicking_dataset import DemosaickingDataset
from semanir_arch.data.datasets.dual_pixel_defocus_dataset import DualPixelDefocusDataset
from semanir_arch.data.datasets.gaussian_denoising_dataset import GaussianDenoisingDataset
from semanir_arch.data.datasets.jpeg_compression_dataset import JpegCompressionDataset
from semanir_arch.data.datasets.paired_restoration_dataset import PairedRestorationDataset
from semanir_arch.data.datasets.photograph_dataset import PhotographDataset
from semanir_arch.data.datasets.submission_dataset import SubmissionDataset

__all__ = [
    "DATASETS",
    "BicubicSRDataset",
    "DemosaickingDataset",
    "DualPixelDefocusDataset",
    "GaussianDenoisingDataset",
    "JpegCompressionDataset",
    "OldPhotographDataset",
    "PairedRestorationDataset",
    "PhotographDataset",
    "PhotographicBlurDataset",
    "SecondOrderDataset",
    "ShuffledDamageDataset",
    "SubmissionDataset",
    "SyntheticDefocusDataset",
    "SyntheticLowLightDataset",
    "SyntheticMotionBlurDataset",
    "SyntheticRainDataset",
    "SyntheticRaindropsDataset",
    "SyntheticSnowDataset",
]

_CLASSES: tuple[type, ...] = (
    BicubicSRDataset,
    DemosaickingDataset,
    DualPixelDefocusDataset,
    GaussianDenoisingDataset,
    JpegCompressionDataset,
    PairedRestorationDataset,
    PhotographDataset,
    SubmissionDataset,
    *DEGRADED,
)

DATASETS: dict[str, type] = {entry.__name__: entry for entry in _CLASSES}
"""Data sets that `semanir_arch.registration` registers."""
