"""One file with what a training needs and a bare machine with torch may lack, and its unpacking.

`gpu_hour.py --pack` makes `build/gpu_hour.tar` where there are photographs and a package index. The
file is never committed, and travels beside the checkout. It holds crops of the training
photographs, cut so that checkout and file together stay below a limit, and wheels, BasicSR's among
them, which PyPI has as source only.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from semanir_arch.shipping.packed_crops import PACKED, PACKS, Pack, pack
from semanir_arch.utils.repairs import BASICSR, install_basicsr
from semanir_arch.weights.catalogue import FOLDER

__all__ = ["FILE", "LIMIT", "WHEELS", "find_missing", "make_pack", "measure_tree", "unpack"]

ROOT = Path(__file__).parents[1]
FILE = ROOT / "build" / "gpu_hour.tar"
LIMIT = 64 * 2**20
"""Bytes of the checkout, without what git ignores, and the file together."""

WHEELS = ("einops==0.8.2", "isal==1.9.1", "lmdb==3.0.0")
"""Wheels besides BasicSR: small, and rarely there where torch is."""

_PYTHON = "3.12"
_PLATFORMS = tuple(f"manylinux{tag}_x86_64" for tag in ("_2_28", "_2_17", "2014"))
_SPARE = 2**20
_SMALLEST_SIDE = 136  # pixels: patches of 128 on a GPU, at more than one place
_STEP = 8
NEEDED = (
    "basicsr",
    "cv2",
    "einops",
    "jinja2",
    "lmdb",
    "numpy",
    "PIL",
    "requests",
    "safetensors",
    "scipy",
    "skimage",
    "tensorboard",
    "torchvision",
    "tqdm",
    "yaml",
)
"""Modules that a training imports, beside torch."""


def make_pack(
    file: Path = FILE,
    *,
    limit: int = LIMIT,
    tree: int | None = None,
    packs: Sequence[Pack] = PACKS,
    wheels: Sequence[str] | None = WHEELS,
) -> None:
    """Write the file.

    Args:
        file: File to write; an existing one is replaced.
        limit: Bytes of checkout and file together.
        tree: Bytes of the checkout; None measures it.
        packs: Crops to cut; those of the training get smaller until they fit.
        wheels: Requirements to bring along with BasicSR; None for no wheels at all.

    Raises:
        FileNotFoundError: Photographs are missing.
        ValueError: Even the smallest crops do not fit.
        RuntimeError: pip failed; it has told why.
    """
    folder = file.with_suffix(".folder")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        if wheels is not None:
            _fetch(folder / "wheels", wheels)
        space = limit - (measure_tree() if tree is None else tree) - _SPARE - _size(folder)
        _cut(folder / "packed", space, packs)
        unfinished = file.with_suffix(".part")
        with tarfile.open(unfinished, "w") as tar:
            for part in sorted(folder.iterdir()):
                tar.add(part, part.name)
        unfinished.replace(file)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure_tree() -> int:
    """Bytes of the checkout without what git ignores."""
    command = ["git", "-C", str(ROOT), "ls-files", "-coz", "--exclude-standard"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    paths = [ROOT / name for name in names.split("\0") if name]
    return sum(path.lstat().st_size for path in paths if path.is_file() or path.is_symlink())


def unpack(work: Path, file: Path = FILE) -> list[str]:
    """Prepare a folder in which `python -m semanir_arch.weights train` runs.

    Its shipped weights are copies, so that nothing of the checkout changes.

    Args:
        work: Folder of the trainings, made if needed; a training that is there stays.
        file: Result of `make_pack`. If it is missing, the checkout's own packed crops are taken.

    Returns:
        Missing parts, in words; empty if a training can start.
    """
    work.mkdir(parents=True, exist_ok=True)
    _link(work / "options", ROOT / "options")
    weights = work / "weights"
    if not weights.is_dir():
        weights.mkdir()
        for path in sorted([*FOLDER.glob("*.safetensors"), *FOLDER.glob("*.json")]):
            shutil.copyfile(path, weights / path.name)
    missing = []
    crops = work / PACKED
    crops.parent.mkdir(parents=True, exist_ok=True)
    if file.is_file():
        with tarfile.open(file) as tar:
            tar.extractall(work, filter="data")
        _link(crops, work / "packed")
        missing += _install(work)
    elif (ROOT / PACKED).is_dir():
        _link(crops, ROOT / PACKED)
    else:
        missing.append(
            f"crops: neither {_name(file)} nor {PACKED} is there; where the photographs are, "
            "`python benchmarks/gpu_hour.py --pack` makes the first"
        )
    missing += [f"Python module {name}" for name in find_missing(NEEDED, work / "site")]
    return missing


def find_missing(modules: Iterable[str], site: Path) -> list[str]:
    """Modules that can be imported neither here nor from a folder."""
    sys.path.insert(0, str(site))
    try:
        importlib.invalidate_caches()
        return [name for name in modules if importlib.util.find_spec(name) is None]
    finally:
        sys.path.remove(str(site))


def _cut(folder: Path, space: int, packs: Sequence[Pack]) -> None:
    """Cut crops, as large as they may be."""
    held_out = [wanted for wanted in packs if wanted.centred]
    space -= sum(pack(folder, held_out).values())
    for wanted in packs:
        if wanted in held_out:
            continue
        side = wanted.side
        while (size := pack(folder, [replace(wanted, side=side)]).popitem()[1]) > space:
            side = min(side - _STEP, int(side * math.sqrt(max(space, 0) / size)) // _STEP * _STEP)
            if side < _SMALLEST_SIDE:
                raise ValueError(
                    f"crops of {_SMALLEST_SIDE} pixels do not fit into {space / 2**20:.1f} MiB, "
                    "what the checkout and the held-out crops leave of the limit"
                )
            shutil.rmtree(folder / f"{wanted.name}.lmdb")
        space -= size
        sys.stdout.write(f"{wanted.name}: crops of {side} pixels, {size / 2**20:.1f} MiB\n")


def _fetch(folder: Path, wheels: Sequence[str]) -> None:
    pip = [sys.executable, "-m", "pip"]
    quiet = ["-q", "--disable-pip-version-check", "--no-deps"]
    platforms = [word for name in _PLATFORMS for word in ("--platform", name)]
    target = ["--only-binary=:all:", "--python-version", _PYTHON, "--implementation", "cp"]
    for command, variables in (
        (
            [*pip, "wheel", *quiet, "--no-build-isolation", "-w", str(folder), BASICSR],
            install_basicsr().variables,
        ),
        ([*pip, "download", *quiet, *target, *platforms, "-d", str(folder), *wheels], {}),
    ):
        if subprocess.run(command, env=os.environ | variables, check=False).returncode != 0:
            raise RuntimeError(f"`{' '.join(command)}` failed; the reason is above")


def _install(work: Path) -> list[str]:
    """Install the wheels that fit this Python and are not here in any version."""
    wheels = sorted((work / "wheels").glob("*.whl"))
    site = work / "site"
    names = {path: path.name.split("-")[0] for path in wheels}
    absent = [path for path, name in names.items() if find_missing([name], site)]
    if not absent:
        return []
    command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    command += ["--no-index", "--no-deps", "--target", str(site), *map(str, absent)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return []
    reason = done.stderr.strip().rpartition("\n")[2]
    return [f"{', '.join(names[path] for path in absent)}: pip failed ({reason})"]


def _link(link: Path, target: Path) -> None:
    if not link.is_symlink():
        link.symlink_to(target)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


def main() -> int:
    """Unpack, and say what is missing."""
    parser = argparse.ArgumentParser(description="Unpack what a training needs.")
    parser.add_argument("work", type=Path)
    parser.add_argument("--file", type=Path, default=FILE)
    arguments = parser.parse_args()
    missing = unpack(arguments.work, arguments.file)
    sys.stdout.write(f"missing: {'; '.join(missing)}\n" if missing else "all is there\n")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
