"""Time data preparation and loading: `python benchmarks/bench_data.py [--output FILE]`.

Every candidate is first checked against what it is compared with. Images are those below
datasets/train, or scikit-image's photographs where there are none.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import Any

import cv2
import numpy as np
import torch
from measure import Timing, compare, header, markdown_table
from numpy.typing import NDArray

from semanir_arch.data.datasets.gaussian_denoising_dataset import GaussianDenoisingDataset
from semanir_arch.data.degradations import compress_jpeg, gaussian_noise
from semanir_arch.data.degradations.matlab_resize import matlab_resize
from semanir_arch.data.files.image_io import load_image, to_float
from semanir_arch.data.preparation.checking import LeakSearch, check_block
from semanir_arch.data.preparation.extraction import extract
from semanir_arch.data.preparation.parallel_jobs import Progress
from semanir_arch.data.preparation.patch_manifest import PatchManifest
from semanir_arch.data.preparation.patches import Group, PatchGrid, View
from semanir_arch.data.sources.image_source import ImageSource
from semanir_arch.data.sources.lmdb_store import write_lmdb
from semanir_arch.data.sources.name_rules import parse_name_rule
from semanir_arch.data.sources.name_table import NameTable, natural_order
from semanir_arch.data.sources.pairing import find_pairs
from semanir_arch.data.sources.scanning import scan_images
from semanir_arch.data.sources.source_opening import open_source
from semanir_arch.host import load

ROOT = Path(__file__).parents[1]
SUB_IMAGES = PatchGrid(480, 240)
PATCH = 64
COLUMNS = ["what", "ms", "times the first row", "target"]

Rows = list[list[str]]


def main() -> None:
    """Print the report, and write it where `--output` says."""
    parser = argparse.ArgumentParser(description="Time data preparation and loading.")
    parser.add_argument("--output", type=Path, help="also write the report to this Markdown file")
    parser.add_argument("--rounds", type=int, default=7, help="measurements per candidate")
    parser.add_argument("--images", type=int, default=6, help="2K images that are cut")
    parser.add_argument("--samples", type=int, default=10_000, help="for the memory of the loader")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory(dir=ROOT) as name:
        folder = Path(name)
        images = make_large_images(folder / "images", arguments.images)
        sections = [
            (
                "Cutting 2K images into sub-images of 480/240",
                time_extraction(folder, images, arguments.rounds),
            ),
            (
                f"{PATCH} x {PATCH} patches out of sub-images",
                time_reading(folder, arguments.rounds),
            ),
            (
                "MATLAB's resize of a 2K image, float",
                time_resize(images[0], arguments.rounds),
            ),
            ("Degradations of a 512 x 512 image", time_degradations(images[0], arguments.rounds)),
            ("check.py, every image read and compared with the others", time_check(folder)),
            ("Memory and index", measure_memory(folder, arguments.samples)),
        ]
    report = header("Data") + "".join(
        f"\n## {title}\n\n{markdown_table(COLUMNS, rows)}" for title, rows in sections
    )
    sys.stdout.write(report)
    if arguments.output:
        arguments.output.write_text(report)


def make_large_images(folder: Path, count: int) -> list[Path]:
    """Mosaics of photographs, 2048 x 1536, as PNG files like those of DIV2K."""
    train = ROOT / "datasets" / "train" / "CID22" / "training"
    if train.is_dir():
        photographs = scan_images(train)[: 12 * count]
    else:
        import skimage

        names = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")
        photographs = [Path(skimage.__file__).parent / "data" / name for name in names]
    folder.mkdir()
    paths = []
    for number in range(count):
        chosen = [photographs[(12 * number + n) % len(photographs)] for n in range(12)]
        tiles = [cv2.resize(np.asarray(cv2.imread(str(name))), (512, 512)) for name in chosen]
        rows = [np.concatenate(tiles[4 * row : 4 * row + 4], axis=1) for row in range(3)]
        paths.append(folder / f"{number:04d}.png")
        cv2.imwrite(str(paths[-1]), np.concatenate(rows))
    return paths


def time_extraction(folder: Path, images: Sequence[Path], rounds: int) -> Rows:
    """Our extraction in one and two processes, and a loop over OpenCV's functions."""
    outputs = {name: folder / name for name in ("loop", "one", "two")}

    def ours(name: str, workers: int) -> None:
        rmtree(outputs[name], ignore_errors=True)
        groups = [
            Group(path.stem, (View(path, outputs[name], path.stem),), SUB_IMAGES) for path in images
        ]
        if extract(groups, PatchManifest(outputs[name], {}), workers):
            raise RuntimeError("an image could not be cut")

    def loop() -> None:
        rmtree(outputs["loop"], ignore_errors=True)
        outputs["loop"].mkdir()
        for path in images:
            image = np.asarray(cv2.imread(str(path), cv2.IMREAD_UNCHANGED))
            for number, (top, left, height, width) in enumerate(
                SUB_IMAGES.windows(*image.shape[:2])
            ):
                patch = np.ascontiguousarray(image[top : top + height, left : left + width])
                cv2.imwrite(str(outputs["loop"] / f"{path.stem}_{number:04d}.png"), patch)

    timings = compare(
        {
            "OpenCV: read, crop, write, one process": loop,
            "extract_patches.py, one process": partial(ours, "one", 1),
            "extract_patches.py, two processes": partial(ours, "two", 2),
        },
        rounds,
        warmup=1,
    )
    expected = {path.name: load_image(path).pixels for path in scan_images(outputs["loop"])}
    for name in ("one", "two"):
        made = {path.name: load_image(path).pixels for path in scan_images(outputs[name])}
        _check(made.keys() == expected.keys(), "names of patches differ")
        _check(all(np.array_equal(made[key], expected[key]) for key in made), "patches differ")
    sizes = [sum(path.stat().st_size for path in outputs[n].glob("*.png")) for n in ("loop", "two")]
    rows = _rows(timings, ["", "", "2.0 times as fast"])
    return [
        *rows,
        [f"bytes on disk, {len(expected)} patches", "", f"{sizes[1] / sizes[0]:.2f}", ""],
    ]


def time_reading(folder: Path, rounds: int, count: int = 200) -> Rows:
    """Random patches from files and from LMDBs of the same sub-images."""
    files = folder / "two"
    source = open_source(files)
    names = list(source.names)
    kinds: dict[str, dict[str, Any]] = {
        "LMDB, compressed PNG": {"raw": False, "compress": True},
        "LMDB, stored PNG": {"raw": False, "compress": False},
        "LMDB, raw pixels": {"raw": True},
    }
    sources = {"PNG files": source}
    for number, (kind, options) in enumerate(kinds.items()):
        path = folder / f"{number}.lmdb"
        write_lmdb(path, ((n, partial(source.read, i)) for i, n in enumerate(names)), **options)
        sources[kind] = open_source(path)
    draws = np.random.default_rng(0)
    places = [
        (int(draws.integers(len(names))), *map(int, draws.integers(480 - PATCH, size=2)))
        for _ in range(count)
    ]

    def read(images: ImageSource) -> list[NDArray[Any]]:
        patches = []
        for index, top, left in places:
            with images.view(index) as pixels:
                patches.append(to_float(pixels[top : top + PATCH, left : left + PATCH]))
        return patches

    def plain() -> list[NDArray[Any]]:
        patches = []
        for index, top, left in places:
            image = np.asarray(cv2.imread(str(files / f"{names[index]}.png")))[..., ::-1]
            patches.append(image[top : top + PATCH, left : left + PATCH].astype(np.float32) / 255)
        return patches

    expected = plain()
    for kind, images in sources.items():
        _check(all(map(np.array_equal, read(images), expected)), f"{kind}: patches differ")
    candidates: dict[str, Callable[[], object]] = {"PNG files, cv2.imread": plain}
    candidates |= {kind: partial(read, images) for kind, images in sources.items()}
    timings = compare(candidates, rounds)
    rows = _rows(timings, ["", "", "", "1.2 times as fast", "3.0 times as fast"], per=count)
    for row, timing in zip(rows, timings.values(), strict=True):
        row[0] += f" ({1e3 * count / timing.median:.0f} patches/s)"
    return rows


def time_resize(path: Path, rounds: int) -> Rows:
    """Our resize and BasicSR's `imresize`, on floats in [0, 1]."""
    image = to_float(load_image(path).pixels)
    imresize = load("basicsr.utils.matlab_functions").imresize
    rows: Rows = []
    for divisor in (2, 4):
        ours, theirs = matlab_resize(image, 1 / divisor), imresize(image, 1 / divisor)
        gap = float(np.abs(ours - theirs).max())
        _check(gap < 1e-6, f"results differ by {gap}")
        names = [f"BasicSR, 1/{divisor}", f"ours, 1/{divisor}, largest difference {gap:.0e}"]
        calls = [partial(function, image, 1 / divisor) for function in (imresize, matlab_resize)]
        timings = compare(dict(zip(names, calls, strict=True)), max(3, rounds // 2), warmup=1)
        rows += _rows(timings, ["", "20 times as fast"])
    return rows


def time_degradations(path: Path, rounds: int) -> Rows:
    """JPEG and noise against the calls they consist of."""
    pixels = np.ascontiguousarray(load_image(path).pixels[:512, :512])
    clean = torch.from_numpy(to_float(pixels)).permute(2, 0, 1).contiguous()
    settings = [cv2.IMWRITE_JPEG_QUALITY, 30]
    bgr = np.ascontiguousarray(pixels[..., ::-1])
    generator, numbers = torch.Generator(), np.random.default_rng(0)
    array = clean.numpy()

    def bare_jpeg() -> NDArray[Any]:
        coded = cv2.imencode(".jpg", bgr, settings)[1]
        return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR))

    def bare_noise() -> NDArray[Any]:
        return array + numbers.standard_normal(array.shape, np.float32) * np.float32(25 / 255)

    _check(np.array_equal(compress_jpeg(pixels, 30), bare_jpeg()[..., ::-1]), "JPEG differs")
    rows: Rows = []
    for bare, ours, names in (
        (bare_jpeg, partial(compress_jpeg, pixels, 30), ("imencode, imdecode", "compress_jpeg")),
        (
            bare_noise,
            partial(gaussian_noise, clean, 25.0, generator),
            ("NumPy: x + normal * sigma", "gaussian_noise"),
        ),
    ):
        timings = compare(dict(zip(names, (bare, ours), strict=True)), 5 * rounds)
        rows += _rows(timings, ["", "at most 1.10 of its time"])
    return rows


def time_check(folder: Path) -> Rows:
    """Every sub-image as a training image and as a test image, in two processes."""
    rows: Rows = []
    search = LeakSearch()
    for name, notice in (("val", search.show), ("train", search.search)):
        block = {"type": "GaussianDenoisingDataset", "dataroot_gt": str(folder / "two")}
        start = time.perf_counter()
        (report,) = check_block(name, block, {}, 1, 2, notice=notice, report=Progress())
        seconds = time.perf_counter() - start
        _check(not report.problems, "a sub-image cannot be read")
        count = len(report.paths)
        rows.append([f"{name}: {count / seconds:.0f} images/s", f"{1e3 * seconds:.0f}", "", ""])
    _check(len(search.leaks) >= count, "images are not found again")
    return rows


def measure_memory(folder: Path, samples: int) -> Rows:
    """Growth of this process over many samples; time and memory of a large index."""
    data = GaussianDenoisingDataset(
        {"phase": "train", "dataroot_gt": str(folder / "2.lmdb"), "sigma": 25, "patch_size": PATCH}
    )
    for index in range(samples // 10):
        data[index % len(data)]
    before = _resident()
    for index in range(samples):
        data[index % len(data)]
    growth = (_resident() - before) / 2**20
    rows = [[f"growth over {samples:,} samples: {growth:.1f} MiB", "", "", "0"]]
    names = [f"scene{number % 1000:03d}/{number:07d}" for number in range(10**6)]
    before, start = _resident(), time.perf_counter()
    table = NameTable(natural_order(names))
    listed = time.perf_counter() - start
    size = (_resident() - before) / 2**20
    start = time.perf_counter()
    pairs = find_pairs(_Named("lq", table), _Named("gt", table), parse_name_rule("same", "{}"))
    paired = time.perf_counter() - start
    _check(len(pairs.lq) == 10**6, "pairs are missing")
    rows.append([f"1,000,000 names in order, {size:.0f} MiB", f"{1e3 * listed:.0f}", "", "seconds"])
    rows.append(["1,000,000 pairs", f"{1e3 * paired:.0f}", "", "seconds"])
    return rows


class _Named(ImageSource):
    """A source of which only names are asked."""

    def __init__(self, root: str, names: NameTable) -> None:
        super().__init__(root)
        self._names = names

    @property
    def names(self) -> NameTable:
        """The names."""
        return self._names

    def path(self, index: int) -> str:
        """The name."""
        return self._names[index]

    def read(self, index: int) -> NDArray[Any]:
        """Raise an error: this source cannot be read."""
        raise FileNotFoundError(self.path(index))


def _rows(timings: dict[str, Timing], targets: Sequence[str], per: int = 1) -> Rows:
    first = next(iter(timings.values()))
    return [
        [name, f"{timing.median / per:.2f}", f"{timing.ratio(first):.2f}", target]
        for (name, timing), target in zip(timings.items(), targets, strict=True)
    ]


def _resident() -> int:
    """Bytes of this process in memory."""
    status = Path("/proc/self/statm")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return int(status.read_text().split()[1]) * resource.getpagesize()


def _check(is_right: bool, message: str) -> None:
    if not is_right:
        raise RuntimeError(message)


if __name__ == "__main__":
    main()
