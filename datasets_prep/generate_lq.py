"""Write degraded versions of clean images: inputs for `semanir-restore`, or fixed test sets.

    python datasets_prep/generate_lq.py --task gaussian --sigma 25 --seed 0 photo.png noisy.png
    python datasets_prep/generate_lq.py --task gaussian --sigma 25 --seed 0 photos noisy

Results are 8-bit PNG files. A file clips and rounds what it stores, unlike the noise of the
published denoising tables, which reaches the network as floats; so these files are a little easier.
`GaussianDenoisingDataset` makes the noise of the tables.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from semanir_arch.data.degradations import MAX_SIGMA, gaussian_noise
from semanir_arch.data.image_io import (
    IMAGE_SUFFIXES,
    load_image,
    scan_images,
    to_float,
    to_integer,
    write_image,
)

Degradation = Callable[[Tensor, torch.Generator], Tensor]


def degrade(source: Path, target: Path, degradation: Degradation, seed: int, name: str) -> None:
    """Degrade one file.

    Args:
        source: The clean image; alpha is dropped.
        target: The PNG file to write.
        degradation: From (C, H, W) float in [0, 1] to the same, not clipped.
        seed: Of the run.
        name: Of the image within the run. Each name has its own randomness, whatever other images
            there are.

    Raises:
        OSError: A file cannot be opened or written.
        ValueError: The image is unreadable.
    """
    image = load_image(source)
    clean = torch.from_numpy(to_float(image.color)).permute(2, 0, 1)
    degraded = degradation(clean, _generator(seed, name)).permute(1, 2, 0)
    write_image(target, to_integer(degraded.numpy()), icc_profile=image.icc_profile)


def plan(source: Path, output: Path) -> dict[str, tuple[Path, Path]]:
    """Source and target of every image, by its name within the run.

    Args:
        source: An image, or a folder.
        output: For an image: a folder, or a file name that ends in .png. For a folder: a folder,
            in which the sub-folders are repeated.

    Raises:
        FileNotFoundError: The source does not exist.
        ValueError: There is no image, the output has another suffix, or results would replace each
            other or the source.
    """
    if source.is_file():
        if output.suffix.lower() in IMAGE_SUFFIXES and output.suffix.lower() != ".png":
            raise ValueError(f"{output}: results are PNG files, name it .png")
        is_file_name = output.suffix.lower() == ".png" and not output.is_dir()
        jobs = {source.name: (source, output if is_file_name else output / f"{source.stem}.png")}
    else:
        jobs = {
            path.relative_to(source).as_posix(): (
                path,
                (output / path.relative_to(source)).with_suffix(".png"),
            )
            for path in scan_images(source)
        }
    targets = [target.resolve() for _, target in jobs.values()]
    if len(set(targets)) < len(targets):
        raise ValueError(f"{source}: two images differ only in their suffix")
    for clean, _ in jobs.values():
        if clean.resolve() in targets:
            raise ValueError(f"{clean}: the result would replace it; choose another output")
    return jobs


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    arguments = _parse(argv)
    try:
        degradation = TASKS[arguments.task](arguments)
        jobs = plan(arguments.input, arguments.output)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    problems = []
    for name, (source, target) in jobs.items():
        try:
            degrade(source, target, degradation, arguments.seed, name)
            sys.stdout.write(f"{target}\n")
        except (OSError, ValueError) as error:
            problems.append(str(error))
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    return 1 if problems else 0


def _gaussian(arguments: argparse.Namespace) -> Degradation:
    sigma = arguments.sigma
    if sigma is None or not 0 <= sigma <= MAX_SIGMA:
        raise ValueError(f"--task gaussian needs --sigma from 0 to {MAX_SIGMA:g}, received {sigma}")
    return lambda image, generator: gaussian_noise(image, sigma, generator)


TASKS: dict[str, Callable[[argparse.Namespace], Degradation]] = {"gaussian": _gaussian}
"""Degradations by name, made from the command line's arguments."""


def _generator(seed: int, name: str) -> torch.Generator:
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    # manual_seed takes 64 bits, signed
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "little"))


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Write degraded versions of clean images as PNG.")
    parser.add_argument("input", type=Path, help="image or folder")
    parser.add_argument("output", type=Path, help="PNG file or folder; existing ones are replaced")
    parser.add_argument("--task", required=True, choices=sorted(TASKS))
    parser.add_argument("--sigma", type=float, help="noise standard deviation, 0-255 scale")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
