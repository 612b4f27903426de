"""Small files in the form of DND's and SIDD's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.helpers import make_image


def write_dnd(folder: Path, images: int = 2, boxes: int = 3, side: int = 24) -> list[np.ndarray]:
    """`info.mat` and the photographs; returns these, (H, W, 3) float32.

    As MATLAB stores version 7.3: arrays transposed, cells as references.
    """
    h5py = pytest.importorskip("h5py", reason="h5py comes with the extra metrics")
    (folder / "images_srgb").mkdir(parents=True)
    photographs = []
    with h5py.File(folder / "info.mat", "w") as info:
        cells = info.create_dataset("info/boundingboxes", (1, images), dtype=h5py.ref_dtype)
        for image in range(images):
            starts = np.arange(boxes)[:, None] * [2, 5] + image
            corners = np.hstack([starts + 1, starts + side]).astype(np.float64)
            info[f"#refs#/{image}"] = corners.T
            cells[0, image] = info[f"#refs#/{image}"].ref
            height, width = side + 2 * boxes + images, side + 5 * boxes + images
            photograph = make_image((height, width, 3), seed=image).astype(np.float32) / 256 + 1e-5
            photographs.append(photograph)
            with h5py.File(folder / "images_srgb" / f"{image + 1:04d}.mat", "w") as file:
                file["InoisySRGB"] = photograph.T
    return photographs


def write_sidd(
    folder: Path, part: str = "BenchmarkNoisy", shape: tuple[int, ...] = (3, 4, 16, 12)
) -> np.ndarray:
    """One of SIDD's files of blocks; returns them, (scenes, blocks, H, W, 3) uint8."""
    scipy_io = pytest.importorskip("scipy.io", reason="scipy comes with the extra train")
    blocks = make_image((*shape, 3), seed=len(part))
    name = f"{part}BlocksSrgb"
    scipy_io.savemat(folder / f"{name}.mat", {name: blocks}, do_compression=True)
    return blocks
