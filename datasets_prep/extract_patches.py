"""Cut images into overlapping patches for training; hold some out, whole, for testing.

    python datasets_prep/extract_patches.py --input photos --output datasets/train \
        --size 128 --step 96

Patches are PNG files NAME_0000.png, NAME_0001.png, ... in the depth of their image and the
sub-folders of the input, row by row; the last row and column end at the edge of the image.

Every file appears complete or not at all, and `manifest.json` records the parameters and the images
that are done: an interrupted run continues, a finished one is not repeated, and other parameters
need another folder. Unreadable images are reported at the end (exit code 1); the others are cut.
"""

from __future__ import annotations

import argparse
import difflib
import importlib.util
import os
import signal
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

from semanir_arch.data.image_io import load_image, scan_images, write_image
from semanir_arch.data.patch_manifest import PatchManifest
from semanir_arch.data.patches import Tiling, extract_patches

SKIMAGE = "skimage"
"""Name of the input that stands for scikit-image's colour photographs."""

SKIMAGE_PHOTOGRAPHS = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "motorcycle_left.png",
    "motorcycle_right.png",
    "retina.jpg",
    "rocket.jpg",
)
"""Colour photographs inside the scikit-image wheel; its `data/README.txt` has their licences."""

_SECONDS_BETWEEN_REPORTS = 5.0


def find_images(source: str) -> dict[str, Path]:
    """The images of a folder, or of scikit-image, by their path below it.

    Raises:
        FileNotFoundError: The folder, or scikit-image, does not exist.
        ValueError: There is no image, or two would give patches of the same names.
    """
    if source == SKIMAGE:
        return _find_skimage_photographs()
    root = Path(source)
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: no such folder")
    images = {path.relative_to(root).as_posix(): path for path in scan_images(root)}
    seen: dict[Path, str] = {}
    for name in images:
        twin = seen.setdefault(Path(name).with_suffix(""), name)
        if twin != name:
            raise ValueError(f"{root}: {twin} and {name} differ only in their suffix")
    return images


def select_images(images: dict[str, Path], wanted: Sequence[str]) -> dict[str, Path]:
    """The images that names on the command line stand for.

    Args:
        images: All images, by their path below the input.
        wanted: Such paths, or file names, with or without suffix.

    Raises:
        ValueError: A name fits no image.
    """
    known: dict[str, list[str]] = {}
    for name in images:
        path = Path(name)
        for alias in {name, path.with_suffix("").as_posix(), path.name, path.stem}:
            known.setdefault(alias, []).append(name)
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"{name}: no such image in the input{hint}")
    return {name: images[name] for alias in wanted for name in known[alias]}


def extract_all(
    images: dict[str, Path], manifest: PatchManifest, tiling: Tiling, workers: int
) -> list[str]:
    """Cut all images that are not done, and record them.

    Args:
        images: By their path below the input.
        manifest: Of the output folder.
        tiling: Which patches.
        workers: Number of processes.

    Returns:
        One message for each image that failed.
    """
    pending = {name: path for name, path in images.items() if not manifest.is_done(name, path)}
    finished = len(images) - len(pending)
    problems, last_report = [], time.monotonic()
    manifest.write()
    processes = max(1, min(workers, len(pending)))
    with ProcessPoolExecutor(processes, initializer=_ignore_interrupts) as pool:
        tasks: dict[Future[dict[str, int]], str] = {
            pool.submit(extract_patches, path, manifest.stem(name), tiling): name
            for name, path in pending.items()
        }
        try:
            for number, task in enumerate(as_completed(tasks), start=finished + 1):
                try:
                    manifest.images[tasks[task]] = task.result()
                except (OSError, ValueError) as error:
                    problems.append(str(error))
                if time.monotonic() - last_report > _SECONDS_BETWEEN_REPORTS:
                    last_report = time.monotonic()
                    manifest.write()
                    _say(f"{number} of {len(images)} images")
        finally:
            manifest.write()
            pool.shutdown(cancel_futures=True)
    return problems


def copy_whole(images: dict[str, Path], folder: Path) -> list[str]:
    """Write images as PNG, without alpha.

    Returns:
        One message for each image that failed.
    """
    problems = []
    for name, path in images.items():
        try:
            image = load_image(path)
            target = folder / Path(name).with_suffix(".png")
            write_image(target, image.color, icc_profile=image.icc_profile)
        except (OSError, ValueError) as error:
            problems.append(str(error))
    return problems


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    arguments = _parse(argv)
    try:
        problems = _run(arguments)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the same command continues\n")
        return 130
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    return 1 if problems else 0


def _run(arguments: argparse.Namespace) -> list[str]:
    tiling = Tiling(arguments.size, arguments.step, arguments.min_std)
    images = find_images(arguments.input)
    excluded = select_images(images, arguments.exclude)
    held_out = select_images(images, arguments.holdout)
    kept = {name: path for name, path in images.items() if name not in {**excluded, **held_out}}
    if not kept:
        raise ValueError("no image is left to cut")
    parameters = {**asdict(tiling), "exclude": sorted(excluded), "holdout": sorted(held_out)}
    manifest = PatchManifest(arguments.output, parameters)
    gone = sorted(set(manifest.images) - set(kept))
    if gone:
        raise ValueError(f"{arguments.output} holds patches of {gone[0]}, which the input lacks")

    problems = []
    if held_out:
        folder = arguments.holdout_output
        if folder is None or folder.resolve() == arguments.output.resolve():
            raise ValueError("--holdout needs --holdout-output, a folder of its own")
        problems = copy_whole(held_out, folder)
        _say(f"{len(held_out) - len(problems)} images held out in {folder}")
    problems += extract_all(kept, manifest, tiling, arguments.workers)
    _say(
        f"{manifest.count('patches')} patches of {len(manifest.images)} images in "
        f"{arguments.output}, {manifest.count('left_out')} nearly constant ones left out"
    )
    return problems


def _find_skimage_photographs() -> dict[str, Path]:
    # without importing it, which takes longer than the work
    spec = importlib.util.find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("input skimage: scikit-image is not installed")
    folder = Path(spec.submodule_search_locations[0], "data")
    images = {name: folder / name for name in SKIMAGE_PHOTOGRAPHS}
    for path in images.values():
        if not path.is_file():
            raise FileNotFoundError(f"input skimage: the installed version lacks {path.name}")
    return images


def _ignore_interrupts() -> None:
    # Ctrl-C reaches all processes; only the first shall react
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Cut images into patches for training. Run again to continue.",
        epilog="NAME: path below the input or file name, with or without suffix.",
    )
    parser.add_argument(
        "--input", required=True, metavar="DIR", help="folder, or skimage for its photographs"
    )
    parser.add_argument("--output", required=True, type=Path, metavar="DIR")
    parser.add_argument("--size", required=True, type=int, help="edge of a patch in pixels")
    parser.add_argument("--step", required=True, type=int, help="distance of patches in pixels")
    parser.add_argument(
        "--min-std",
        type=float,
        default=0.0,
        metavar="STD",
        help="leave out patches of smaller standard deviation (0-255; default 0, keep all)",
    )
    parser.add_argument("--exclude", nargs="+", default=[], metavar="NAME", help="leave out")
    parser.add_argument(
        "--holdout", nargs="+", default=[], metavar="NAME", help="do not cut but copy whole, as PNG"
    )
    parser.add_argument("--holdout-output", type=Path, metavar="DIR")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes (default: all cores)"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
