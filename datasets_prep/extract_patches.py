"""Cut images into overlapping patches for training; hold some out, whole, for testing.

    python datasets_prep/extract_patches.py --preset gopro
    python datasets_prep/extract_patches.py --preset df2k --lmdb raw
    python datasets_prep/extract_patches.py --input photos --output datasets/train/photos \
        --size 128 --step 96

A preset cuts a published training set, which `prepare.py` has laid out, as its authors did; images
that belong together get patches of the same places and names. Otherwise patches are PNG files
NAME_0000.png, NAME_0001.png, ... in the depth of their image and the sub-folders of the input, row
by row; the last row and column end at the edge of the image.

Every file appears complete or not at all, and a record in the (first) output folder holds the
parameters and the images that are done: an interrupted or killed run continues, a finished one is
not repeated, and other parameters need another folder. With `--lmdb`, each output folder becomes
`FOLDER.lmdb`. Unreadable images are reported at the end (exit code 1); the others are cut.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from semanir_arch.data.files.image_io import load_image, write_image
from semanir_arch.data.files.image_metadata import Metadata
from semanir_arch.data.preparation.extraction import check_names, extract
from semanir_arch.data.preparation.parallel_jobs import default_workers, run_script, say
from semanir_arch.data.preparation.patch_manifest import PatchManifest, is_used
from semanir_arch.data.preparation.patches import Group, PatchGrid, View
from semanir_arch.data.preparation.presets import PRESETS, preset_groups
from semanir_arch.data.sources.scanning import scan_images
from semanir_arch.utils.errors import InputError, MissingFileError, UserError, message_of
from semanir_arch.utils.same_names import folded
from semanir_arch.utils.suggestions import did_you_mean

SKIMAGE = "skimage"
"""Name of the input that stands for scikit-image's color photographs."""

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
"""Color photographs inside the scikit-image wheel; its `data/README.txt` has their licences."""


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
        raise MissingFileError(f"{root}: no such folder")
    images = {path.relative_to(root).as_posix(): path for path in scan_images(root)}
    seen: dict[str, str] = {}
    for name in images:
        twin = seen.setdefault(folded(Path(name).with_suffix("").as_posix()), name)
        if twin != name:
            same = Path(twin).with_suffix("") == Path(name).with_suffix("")
            only = "their suffix" if same else "case or in how accents are written"
            raise InputError(f"{root}: {twin} and {name} differ only in {only}; rename one")
    return images


def select_images(images: dict[str, Path], wanted: Sequence[str]) -> dict[str, Path]:
    """The images that names on the command line stand for.

    Args:
        images: All images, by their path below the input.
        wanted: Relative paths or file names, with or without suffix.

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
            hint = did_you_mean(name, known)
            raise InputError(f"{name}: no such image in the input{hint}")
    return {name: images[name] for alias in wanted for name in known[alias]}


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
            write_image(target, image.color, metadata=Metadata(icc_profile=image.icc_profile))
        except (UserError, OSError) as error:
            problems.append(message_of(error))
    return problems


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    arguments = _parse(argv)
    run = _run_images if arguments.preset is None else _run_preset
    return run_script(partial(run, arguments))


def _run_preset(arguments: argparse.Namespace) -> list[str]:
    preset = PRESETS[arguments.preset]
    is_lmdb = arguments.lmdb is not None
    groups = preset_groups(preset, arguments.root, is_lmdb=is_lmdb, report=say)
    check_names(groups)
    parameters = {"preset": arguments.preset, **asdict(preset.tiling), "lmdb": arguments.lmdb}
    outputs = list(dict.fromkeys(view.output for group in groups for view in group.views))
    return _extract(groups, PatchManifest(outputs[0], parameters), outputs, arguments)


def _run_images(arguments: argparse.Namespace) -> list[str]:
    for name in ("input", "output", "size", "step"):
        if getattr(arguments, name) is None:
            raise InputError(f"give --{name}, or a --preset ({', '.join(PRESETS)})")
    tiling = PatchGrid(arguments.size, arguments.step, arguments.min_std)
    images = find_images(arguments.input)
    excluded = select_images(images, arguments.exclude)
    held_out = select_images(images, arguments.holdout)
    kept = {name: path for name, path in images.items() if name not in {**excluded, **held_out}}
    if not kept:
        raise InputError("no image is left to cut")
    output = arguments.output
    if arguments.lmdb and output.suffix != ".lmdb":
        output = output.with_name(f"{output.name}.lmdb")
    groups = [
        Group(name, (View(path, output, Path(name).with_suffix("").as_posix()),), tiling)
        for name, path in kept.items()
    ]
    check_names(groups)
    manifest = PatchManifest(output, _parameters(tiling, excluded, held_out, arguments.lmdb))
    problems = []
    if held_out:
        folder = arguments.holdout_output
        if folder is None or folder.resolve() == output.resolve():
            raise InputError("--holdout needs --holdout-output, a folder of its own")
        problems = copy_whole(held_out, folder)
        say(f"{len(held_out) - len(problems)} images held out in {folder}")
    return problems + _extract(groups, manifest, [output], arguments)


def _parameters(
    tiling: PatchGrid, excluded: dict[str, Path], held_out: dict[str, Path], lmdb: str | None
) -> dict[str, Any]:
    """Parameters in the record of an output folder of plain images."""
    parameters = {name: getattr(tiling, name) for name in ("size", "step", "min_std")}
    parameters |= {"exclude": sorted(excluded), "holdout": sorted(held_out)}
    return parameters | ({"lmdb": lmdb} if lmdb else {})


def _extract(
    groups: list[Group],
    manifest: PatchManifest,
    outputs: Sequence[Path],
    arguments: argparse.Namespace,
) -> list[str]:
    if manifest.note:
        say(f"note: {manifest.note}")
    gone = sorted(set(manifest.images) - {group.name for group in groups})
    if gone:
        raise InputError(f"{manifest.folder} holds patches of {gone[0]}, which the input lacks")
    foreign = [folder for folder in outputs[1:] if manifest.is_new and is_used(folder)]
    if foreign:
        raise InputError(f"{foreign[0]}: not empty, and {manifest.folder} has no record of it")
    problems = extract(groups, manifest, arguments.workers, arguments.lmdb)
    dropped = manifest.count("left_out")
    kind = "blurred" if groups[0].tiling.drop_blurred else "nearly constant"
    say(
        f"{manifest.count('patches')} patches of {len(manifest.images)} images in "
        f"{', '.join(map(str, outputs))}, {dropped} {kind} ones left out"
    )
    return problems


def _find_skimage_photographs() -> dict[str, Path]:
    # without importing it, which takes longer than the work
    spec = importlib.util.find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        raise MissingFileError("input skimage: scikit-image is not installed")
    folder = Path(spec.submodule_search_locations[0], "data")
    images = {name: folder / name for name in SKIMAGE_PHOTOGRAPHS}
    for path in images.values():
        if not path.is_file():
            raise MissingFileError(f"input skimage: the installed version lacks {path.name}")
    return images


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    presets = "\n".join(f"  {name:<10} {preset.help}" for name, preset in PRESETS.items())
    parser = argparse.ArgumentParser(
        description="Cut images into patches for training. Run again to continue.",
        epilog=f"presets:\n{presets}\n\n"
        "NAME: path below the input or file name, with or without suffix.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--preset", choices=PRESETS, help="a published training set")
    parser.add_argument(
        "--root",
        type=Path,
        default=Path("datasets"),
        help="data root of the presets (default: datasets)",
    )
    parser.add_argument("--input", metavar="DIR", help="folder, or skimage for its photographs")
    parser.add_argument("--output", type=Path, metavar="DIR")
    parser.add_argument("--size", type=int, help="edge of a patch in pixels")
    parser.add_argument("--step", type=int, help="distance between patches in pixels")
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
        "--lmdb",
        choices=("raw", "png"),
        help="write LMDBs: raw pixels read fastest, png is for BasicSR; not compressed",
    )
    parser.add_argument(
        "--workers", type=int, default=default_workers(), help="processes (default: all cores)"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
