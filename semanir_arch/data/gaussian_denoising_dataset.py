"""Gaussian denoising: clean images from folders, noise made on the fly."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from semanir_arch.data.degradations import (
    MAX_SIGMA,
    NOISE_CONVENTIONS,
    benchmark_noise,
    random_gaussian_noise,
)
from semanir_arch.data.image_io import convert_channels, load_image, scan_images, to_float
from semanir_arch.data.levels import parse_level
from semanir_arch.data.randomness import item_generator
from semanir_arch.data.transforms import (
    crop,
    draw_orientation,
    draw_position,
    orient,
    pad_to_size,
)
from semanir_arch.utils.options import Option, read_options

_PHASES = ("train", "val", "test")


class GaussianDenoisingDataset(Dataset[dict[str, Any]]):
    """Clean images and noisy versions of them.

    In training, an item is a random patch in a random orientation with new noise each time.
    Otherwise it is a whole image with the noise of a published test script, the same each time.

    Args:
        opt: `phase` ('train', 'val' or 'test') and the options of `OPTIONS`; others are ignored.

    Raises:
        FileNotFoundError: A folder does not exist.
        ValueError: An option has a value that is not allowed, a folder holds no image, or (with
            `cache`) images are unreadable.
    """

    OPTIONS: ClassVar[dict[str, Option]] = {
        "dataroot_gt": Option(
            (str, list[str]), help="folder(s) of clean images, read with sub-folders"
        ),
        "channels": Option(int, default=3, choices=(1, 3), help="1 reads gray, 3 reads RGB"),
        "sigma": Option(
            (float, list[float], dict),
            help="noise standard deviation on the 0-255 scale: number, [low, high] or "
            "{list: [values]}; a number outside training",
        ),
        "patch_size": Option(int, default=128, help="training patch in pixels, 1 or more"),
        "use_hflip": Option(bool, default=True, help="random horizontal flips in training"),
        "use_rot": Option(
            bool, default=True, help="random vertical flips and transposition in training"
        ),
        "noise_convention": Option(
            str,
            default="numpy_hwc_rgb",
            choices=tuple(NOISE_CONVENTIONS),
            help="how test noise is drawn",
        ),
        "cache": Option(
            bool, default=False, help="decode all images at the start and keep them in memory"
        ),
    }

    def __init__(self, opt: Mapping[str, Any]) -> None:
        self.opt = opt
        options = read_options(self.OPTIONS, opt)
        self.is_training = _checked_phase(opt) == "train"
        self.channels = _checked_choice(options, "channels", (1, 3))
        self.sigma = parse_level(options["sigma"], "sigma", 0, MAX_SIGMA)
        if not self.is_training and not self.sigma.is_constant:
            raise ValueError(f"sigma must be a number outside training, received {opt['sigma']!r}")
        self.noise_convention = _checked_choice(
            options, "noise_convention", tuple(NOISE_CONVENTIONS)
        )
        self.patch_size = options["patch_size"]
        if self.patch_size < 1:
            raise ValueError(f"patch_size must be 1 or more, received {self.patch_size}")
        self.use_hflip = options["use_hflip"]
        self.use_rot = options["use_rot"]
        self.paths = _scan(options["dataroot_gt"])
        self._cached = _read_all(self.paths, self.channels) if options["cache"] else None

    def __len__(self) -> int:
        """Number of images."""
        return len(self.paths)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """One pair.

        Returns:
            `lq` and `gt`: (C, H, W) float32, RGB or gray; `gt` in [0, 1], `lq` beyond it where the
            noise goes. `lq_path` and `gt_path`: the clean file.

        Raises:
            ValueError: The image is unreadable.
        """
        path = self.paths[index]
        pixels = _read(path, self.channels) if self._cached is None else self._cached[index]
        if self.is_training:
            generator = item_generator()
            gt = _to_tensor(self._patch(pixels, generator))
            lq, _ = random_gaussian_noise(gt, self.sigma, generator)
        else:
            gt = _to_tensor(pixels)
            lq = benchmark_noise(gt, self.sigma.values[0], self.noise_convention, path.name)
        return {"lq": lq, "gt": gt, "lq_path": str(path), "gt_path": str(path)}

    def _patch(self, pixels: NDArray[Any], generator: torch.Generator) -> NDArray[Any]:
        pixels = pad_to_size(pixels, self.patch_size)
        height, width = pixels.shape[:2]
        top, left = draw_position(height, width, self.patch_size, generator)
        orientation = draw_orientation(generator, self.use_hflip, self.use_rot)
        return orient(crop(pixels, top, left, self.patch_size), orientation)


def _checked_phase(opt: Mapping[str, Any]) -> str:
    phase = opt.get("phase")
    if phase not in _PHASES:
        raise ValueError(f"phase must be one of {', '.join(_PHASES)}, received {phase!r}")
    return phase


def _checked_choice(options: Mapping[str, Any], key: str, allowed: tuple[Any, ...]) -> Any:
    if options[key] not in allowed:
        choices = ", ".join(map(repr, allowed))
        raise ValueError(f"{key} must be one of {choices}, received {options[key]!r}")
    return options[key]


def _scan(roots: str | list[str]) -> list[Path]:
    paths = []
    for root in [roots] if isinstance(roots, str) else roots:
        try:
            paths += scan_images(root)
        except (FileNotFoundError, ValueError) as error:
            raise type(error)(f"dataroot_gt: {error}") from error
    return paths


def _read(path: Path, channels: int) -> NDArray[Any]:
    return convert_channels(load_image(path), channels)


def _read_all(paths: list[Path], channels: int) -> list[NDArray[Any]]:
    images, problems = [], []
    for path in paths:
        try:
            images.append(_read(path, channels))
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ValueError("unreadable images in dataroot_gt:\n" + "\n".join(problems))
    return images


def _to_tensor(pixels: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(to_float(pixels).transpose(2, 0, 1)))
