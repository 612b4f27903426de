"""Makes the picture at the top of the README: crops of photographs before and after.

    python benchmarks/readme_strip.py docs/before_after.jpg

The photographs are those of the scikit-image wheel, damaged here; the networks are those of the
package. PSNR is of the whole photograph, as the task's protocol measures it. The camera is imitated
(docs/degradations.md); its picture is compared with what it would have taken without noise.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from semanir_arch import Restorer
from semanir_arch.data.degradations.camera import Camera, photograph
from semanir_arch.data.degradations.camera_color import Look, neutral_matrix
from semanir_arch.data.degradations.camera_noise import SensorNoise, read_noise_of
from semanir_arch.data.degradations.jpeg import compress_jpeg
from semanir_arch.data.degradations.matlab_resize import matlab_resize
from semanir_arch.data.degradations.noise import gaussian_noise
from semanir_arch.data.files.image_io import to_float, to_integer, write_image
from semanir_arch.metrics.protocols import PROTOCOLS

Pixels = NDArray[np.uint8]
SIDE, GAP, TEXT = 240, 6, 18
"""Pixels: side of a panel, between panels, height of letters."""


@dataclass(frozen=True)
class Example:
    """One column of the picture.

    Args:
        title: Fault of the photograph.
        photo: Name of a function of `skimage.data`.
        task: Network of the package.
        damage: Function from the photograph to the input, and to what a perfect result would be.
        protocol: Protocol of the score; see `semanir_arch.metrics.protocols`.
        corner: Top and left of the crop, in pixels of the photograph.
        crop: Side of the crop, in pixels of the photograph.
        scale: Scale of super-resolution.
    """

    title: str
    photo: str
    task: str
    damage: Callable[[Pixels], tuple[Pixels, Pixels]]
    protocol: str
    corner: tuple[int, int]
    crop: int = 140
    scale: int = 1


def _camera(photo: Pixels) -> tuple[Pixels, Pixels]:
    look = Look((2.0, 1.6), neutral_matrix(np.full(6, -0.2)), 0.5, 2.2, has_curve=True)
    gain = 6e-3
    camera = Camera(look, "rggb", SensorNoise(gain, read_noise_of(gain)), "edges", chroma=1.0)
    taken = photograph(to_float(photo), camera, np.random.default_rng(0))
    return to_integer(taken), to_integer(photograph(to_float(photo), camera, None))


def _noise(photo: Pixels) -> tuple[Pixels, Pixels]:
    image = torch.from_numpy(to_float(photo))
    noisy = gaussian_noise(image, 25, torch.Generator().manual_seed(0))
    return to_integer(noisy.numpy()), photo


EXAMPLES = (
    Example("camera noise, imitated", "rocket", "photo", _camera, "denoise_rgb", (275, 300)),
    Example("noise, sigma 25", "chelsea", "denoise", _noise, "denoise_rgb", (60, 110)),
    Example(
        "JPEG, quality 10",
        "coffee",
        "jpeg",
        lambda photo: (compress_jpeg(photo, 10), photo),
        "jpeg_color",
        (90, 240),
    ),
    Example(
        "enlarged 4 times",
        "astronaut",
        "sr_x4",
        lambda photo: (matlab_resize(photo, 1 / 4), photo),
        "sr_y",
        (10, 160),
        scale=4,
    ),
)


def main() -> None:
    """Restore the photographs, and write the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("output", type=Path)
    output = parser.parse_args().output
    columns = [_column(example) for example in EXAMPLES]
    gap = np.full((columns[0].shape[0], GAP, 3), 255, np.uint8)
    parts: list[Pixels] = [columns[0]]
    for column in columns[1:]:
        parts += [gap, column]
    write_image(output, np.concatenate(parts, axis=1), quality=92, overwrite=True)


def _column(example: Example) -> Pixels:
    """Title and figures above two panels, before and after."""
    photo = getattr(skimage.data, example.photo)()
    height, width = (side - side % 4 for side in photo.shape[:2])
    photo = photo[:height, :width]
    damaged, target = example.damage(photo)
    restored = Restorer(task=example.task).restore(damaged)
    before = damaged if example.scale == 1 else matlab_resize(damaged, example.scale)
    values = [_psnr(example, image, target) for image in (before, restored)]
    label = f"{example.title}\n{values[0]:.1f} to {values[1]:.1f} dB"
    shown = damaged.repeat(example.scale, axis=0).repeat(example.scale, axis=1)
    panels = [_panel(example, image) for image in (shown, restored)]
    gap = np.full((GAP, SIDE, 3), 255, np.uint8)
    return np.concatenate([_text(label), panels[0], gap, panels[1]])


def _psnr(example: Example, image: Pixels, photo: Pixels) -> float:
    restored, target = (
        torch.from_numpy(to_float(x).transpose(2, 0, 1).copy()) for x in (image, photo)
    )
    scale = example.scale if example.scale > 1 else None
    return PROTOCOLS[example.protocol].evaluate(restored, target, scale)["psnr"]


def _panel(example: Example, image: Pixels) -> Pixels:
    top, left = example.corner
    crop = Image.fromarray(image[top : top + example.crop, left : left + example.crop])
    return np.asarray(crop.resize((SIDE, SIDE), Image.Resampling.NEAREST))


def _text(label: str) -> Any:
    canvas = Image.new("RGB", (SIDE, 3 * TEXT), "white")
    font = ImageFont.load_default(TEXT)
    ImageDraw.Draw(canvas).text((2, TEXT // 3), label, fill="black", font=font)
    return np.asarray(canvas)


if __name__ == "__main__":
    main()
