"""Image files, degradations and data sets. Nothing here needs BasicSR."""

from semanir_arch.data.datasets.bicubic_sr_dataset import BicubicSRDataset
from semanir_arch.data.datasets.demosaicking_dataset import DemosaickingDataset
from semanir_arch.data.datasets.dual_pixel_defocus_dataset import DualPixelDefocusDataset
from semanir_arch.data.datasets.gaussian_denoising_dataset import GaussianDenoisingDataset
from semanir_arch.data.datasets.jpeg_compression_dataset import JpegCompressionDataset
from semanir_arch.data.datasets.old_photograph_dataset import OldPhotographDataset
from semanir_arch.data.datasets.paired_restoration_dataset import PairedRestorationDataset
from semanir_arch.data.datasets.photograph_dataset import PhotographDataset
from semanir_arch.data.datasets.photographic_blur_dataset import PhotographicBlurDataset
from semanir_arch.data.datasets.second_order_dataset import SecondOrderDataset
from semanir_arch.data.datasets.shuffled_damage_dataset import ShuffledDamageDataset
from semanir_arch.data.datasets.submission_dataset import SubmissionDataset
from semanir_arch.data.datasets.synthetic_defocus_dataset import SyntheticDefocusDataset
from semanir_arch.data.datasets.synthetic_low_light_dataset import SyntheticLowLightDataset
from semanir_arch.data.datasets.synthetic_motion_blur_dataset import SyntheticMotionBlurDataset
from semanir_arch.data.datasets.synthetic_rain_dataset import SyntheticRainDataset
from semanir_arch.data.datasets.synthetic_raindrops_dataset import SyntheticRaindropsDataset
from semanir_arch.data.datasets.synthetic_snow_dataset import SyntheticSnowDataset

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

DATASETS: dict[str, type] = {
    entry.__name__: entry
    for entry in (
        BicubicSRDataset,
        DemosaickingDataset,
        DualPixelDefocusDataset,
        GaussianDenoisingDataset,
        JpegCompressionDataset,
        OldPhotographDataset,
        PairedRestorationDataset,
        PhotographDataset,
        PhotographicBlurDataset,
        SecondOrderDataset,
        ShuffledDamageDataset,
        SubmissionDataset,
        SyntheticDefocusDataset,
        SyntheticLowLightDataset,
        SyntheticMotionBlurDataset,
        SyntheticRainDataset,
        SyntheticRaindropsDataset,
        SyntheticSnowDataset,
    )
}
"""Data sets that `semanir_arch.registration` registers."""
