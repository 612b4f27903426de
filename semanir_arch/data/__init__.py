"""Image files, degradations and data sets. Nothing here needs BasicSR."""

from semanir_arch.data.gaussian_denoising_dataset import GaussianDenoisingDataset

__all__ = ["DATASETS", "GaussianDenoisingDataset"]

DATASETS: dict[str, type] = {"GaussianDenoisingDataset": GaussianDenoisingDataset}
"""Data sets that `semanir_arch.plugin` registers."""
