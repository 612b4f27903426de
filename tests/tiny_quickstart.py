"""The quickstart's training in seconds: a network of a few weights, on small images."""

from __future__ import annotations

from pathlib import Path

import skimage.data

from semanir_arch.data.files.image_io import write_image

NETWORK = (
    "network_g:widths=[8]",
    "network_g:depths=[1]",
    "network_g:num_heads=[2]",
    "network_g:window_size=4",
    "network_g:k=8",
)
TRAINING = (
    "datasets:train:patch_size=16",
    "datasets:train:batch_size_per_gpu=2",
    "datasets:train:num_worker_per_gpu=0",
    "logger:save_checkpoint_freq=5",
    "logger:print_freq=5",
    "logger:use_tb_logger=false",
)
"""Values for `--force_yml`."""

PHOTOGRAPHS = ("astronaut", "coffee", "chelsea", "rocket")


def write_photographs(folder: Path, names: tuple[str, ...] = PHOTOGRAPHS) -> None:
    """Small parts of scikit-image's photographs, of 48 x 64 pixels.

    Args:
        folder: Where NAME.png are written.
        names: Functions of `skimage.data`.
    """
    for name in names:
        photo = getattr(skimage.data, name)()
        write_image(folder / f"{name}.png", photo[100:148, 100:164])


def write_images(folder: Path) -> None:
    """What the quickstart cuts from photographs: `train/` and `test/`.

    Args:
        folder: `datasets/quickstart` of the folder in which commands run.
    """
    write_photographs(folder / "train", ("astronaut", "rocket"))
    write_photographs(folder / "test", ("chelsea", "coffee"))
