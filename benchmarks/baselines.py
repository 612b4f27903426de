"""Compare published figures of inputs and classic methods with ours: no network is involved.

    python benchmarks/baselines.py                          print the tables
    python benchmarks/baselines.py --only Set5 classic5     some sets
    python benchmarks/baselines.py --write FILE             put them between the document's markers

They agree where degradations, metrics and protocols do. Sets that are not below `--datasets` are
named. The images and where they come from: docs/data.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from measure import markdown_table
from torch import Tensor

from semanir_arch.data import (
    DemosaickingDataset,
    GaussianDenoisingDataset,
    JpegCompressionDataset,
)
from semanir_arch.data.datasets.clean_images import CleanImageDataset
from semanir_arch.data.degradations.matlab_resize import crop_to_multiple, matlab_resize
from semanir_arch.data.files.image_io import load_image
from semanir_arch.data.sources.scanning import scan_images
from semanir_arch.metrics import PROTOCOLS, psnr, rgb_to_y
from semanir_arch.utils.atomic import write_text

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- baselines: written by benchmarks/baselines.py -->", "<!-- end of baselines -->"

Pair = tuple[Tensor, Tensor]
Pairs = Callable[[Path], Iterable[Pair]]
Score = Callable[[Tensor, Tensor], Mapping[str, float]]


@dataclass(frozen=True)
class Row:
    """One input or method on one set.

    Args:
        folder: Folder of the set, below `--datasets`.
        level: Scale, quality or noise.
        pairs: Function from the folder to compared images and targets, (C, H, W) in [0, 1].
        score: Function that scores a pair.
        published: Figures by score; as printed, because the digits count. None: none is known.
    """

    folder: str
    level: str
    pairs: Pairs
    score: Score
    published: Mapping[str, str | None]

    def measure(self, datasets: Path) -> dict[str, float]:
        """Mean of each score over the images."""
        scores = [self.score(*pair) for pair in self.pairs(datasets / self.folder)]
        return {name: sum(image[name] for image in scores) / len(scores) for name in self.published}


@dataclass(frozen=True)
class Section:
    """Rows that are measured in the same way.

    Args:
        title: Subject of the comparison.
        level: Name of what `Row.level` holds.
        source: Source of the published figures, and how they were measured.
        rows: Rows in the order of the table.
        note: About differences.
    """

    title: str
    level: str
    source: str
    rows: tuple[Row, ...]
    note: str = ""


def enlarged(scale: int, folder: Path) -> Iterator[Pair]:
    """Luma in 8 bits, reduced and enlarged in doubles: as the first deep networks were compared."""
    for path in scan_images(folder):
        image = torch.from_numpy(crop_to_multiple(load_image(path).pixels, scale).copy())
        image = image.permute(2, 0, 1).double()
        luma = (rgb_to_y(image, 255) if len(image) == 3 else image).round()
        reduced = matlab_resize(luma[0].numpy(), 1 / scale)
        yield torch.from_numpy(matlab_resize(reduced, scale))[None] / 255, luma / 255


def degraded(
    dataset: type[CleanImageDataset], options: Mapping[str, object], folder: Path
) -> Iterator[Pair]:
    """Degraded and clean images of a test set."""
    items = dataset({"phase": "test", "dataroot_gt": str(folder), **options})
    for index in range(len(items)):
        item = items[index]
        yield item["lq"], item["gt"]


def unclipped(noisy: Tensor, clean: Tensor) -> dict[str, float]:
    """PSNR of an image as a network sees it, neither clipped nor rounded."""
    return {"psnr": psnr(noisy, clean).item()}


def _bicubic(folder: str, scale: int, psnr_: str, ssim_: str) -> Row:
    score = partial(PROTOCOLS["sr_y"].evaluate, scale=scale)
    published = {"psnr": psnr_, "ssim": ssim_}
    return Row(f"{folder}/HR", f"x{scale}", partial(enlarged, scale), score, published)


def _jpeg(folder: str, quality: int, *published: str) -> Row:
    color = folder.endswith("color")
    options = {"quality": quality, "channels": 3 if color else 1}
    pairs = partial(degraded, JpegCompressionDataset, options)
    score = PROTOCOLS["jpeg_color" if color else "jpeg_gray"].evaluate
    names = ("psnr", "ssim", "psnr_b")
    return Row(folder, str(quality), pairs, score, dict(zip(names, published, strict=False)))


def _noise(folder: str, channels: int, sigma: int, psnr_: str) -> Row:
    pairs = partial(degraded, GaussianDenoisingDataset, {"sigma": sigma, "channels": channels})
    return Row(folder, str(sigma), pairs, unclipped, {"psnr": psnr_})


def _demosaicked(folder: str, psnr_: str | None) -> Row:
    pairs = partial(degraded, DemosaickingDataset, {"modulo": 8})
    return Row(folder, "rggb", pairs, PROTOCOLS["demosaick_rgb"].evaluate, {"psnr": psnr_})


SECTIONS = (
    Section(
        "Bicubic enlargement",
        "scale",
        "Bicubic column of VDSR (Kim, Lee, Lee, CVPR 2016); protocol `sr_y` on luma alone",
        (
            _bicubic("Set5", 2, "33.66", "0.9299"),
            _bicubic("Set5", 3, "30.39", "0.8682"),
            _bicubic("Set5", 4, "28.42", "0.8104"),
            _bicubic("Set14", 2, "30.24", "0.8688"),
            _bicubic("Set14", 3, "27.55", "0.7742"),
            _bicubic("Set14", 4, "26.00", "0.7027"),
        ),
        "On Set14, SSIM at x4 is between 0.7015 and 0.7031, depending on where one rounds. "
        "Converting its gray files to luma raises PSNR by 0.09 dB. We cannot explain the rest of "
        "the difference.",
    ),
    Section(
        "Gray JPEG images",
        "quality",
        "JPEG column of KGT (arXiv 2402.02634), PSNR-B of FBCNN (Jiang, Zhang, Timofte, ICCV "
        "2021); protocol `jpeg_gray`",
        (
            _jpeg("classic5", 10, "27.82", "0.760", "25.21"),
            _jpeg("classic5", 20, "30.12", "0.834", "27.50"),
            _jpeg("classic5", 30, "31.48", "0.867", "28.94"),
            _jpeg("classic5", 40, "32.43", "0.885", "29.92"),
            _jpeg("LIVE1_gray", 10, "27.77", "0.773", "25.33"),
            _jpeg("LIVE1_gray", 20, "30.07", "0.851", "27.57"),
            _jpeg("LIVE1_gray", 30, "31.41", "0.885", "28.92"),
            _jpeg("LIVE1_gray", 40, "32.35", "0.904", "29.96"),
        ),
        "Published PSNR-B code misses one block edge if a side is not divisible by 8, as in six "
        "images of LIVE1.",
    ),
    Section(
        "Color JPEG images",
        "quality",
        "JPEG column of KGT (arXiv 2402.02634) and FBCNN; protocol `jpeg_color`",
        (
            _jpeg("LIVE1_color", 10, "25.69", "0.743"),
            _jpeg("LIVE1_color", 20, "28.06", "0.826"),
            _jpeg("LIVE1_color", 30, "29.37", "0.861"),
            _jpeg("LIVE1_color", 40, "30.28", "0.882"),
        ),
    ),
    Section(
        "Noisy images, neither clipped nor rounded",
        "sigma",
        "The expected value, 20 log10(255 / sigma), which tables print as 'noisy'; convention "
        "`numpy_hwc_rgb`",
        tuple(
            _noise(folder, channels, sigma, expected)
            for folder, channels in (
                ("CBSD68", 3),
                ("Kodak24_crop500", 3),
                ("McMaster", 3),
                ("Set12", 1),
                ("BSD68_gray", 1),
            )
            for sigma, expected in ((15, "24.61"), (25, "20.17"), (50, "14.15"))
        ),
        "All images of one size get the same noise, whose strength is not exactly sigma.",
    ),
    Section(
        "Linear demosaicking",
        "Bayer phase",
        "'Matlab' column of GRL (Li et al., CVPR 2023) and KGT; protocol `demosaick_rgb`, images "
        "cut to multiples of 8",
        (_demosaicked("McMaster", "34.43"), _demosaicked("Kodak24_crop500", None)),
        "The papers print 35.78 dB for the whole images of Kodak, 768 x 512; we have only their "
        "centers, 500 x 500. Truncating to 8 bits instead of rounding gives McMaster its 34.43.",
    ),
)


def measure(
    section: Section, datasets: Path, only: Sequence[str] = ()
) -> tuple[list[list[str]], list[str]]:
    """Rows of a section's table.

    Args:
        section: Section to measure.
        datasets: Folder of the sets.
        only: Names of sets; all if none is given.

    Returns:
        Cells as the section's `header` names them; names of sets that are not there.
    """
    cells: list[list[str]] = []
    missing: dict[str, None] = {}
    for row in section.rows:
        name = row.folder.split("/")[0]
        if only and name not in only:
            continue
        if not (datasets / row.folder).is_dir():
            missing[name] = None
            continue
        ours = row.measure(datasets)
        cells.append([name, row.level])
        for score, printed in row.published.items():
            cells[-1] += _compared(printed, ours[score])
    return cells, list(missing)


def _compared(printed: str | None, ours: float) -> list[str]:
    """Published figure, ours, and the difference, with as many digits as are printed."""
    digits = len((printed or "0.00").partition(".")[2])
    if printed is None:
        return ["-", f"{ours:.{digits}f}", "-"]
    difference = round(ours - float(printed), digits)
    return [printed, f"{ours:.{digits}f}", f"{difference:+.{digits}f}" if difference else "0"]


def header(section: Section) -> list[str]:
    """Names of the columns of a section's table."""
    columns = ["set", section.level]
    for score in section.rows[0].published:
        name = score.upper().replace("_", "-")
        columns += [f"{name} published", "ours", "difference"]
    return columns


def report(datasets: Path, only: Sequence[str] = ()) -> str:
    """All tables as Markdown."""
    parts = []
    for section in SECTIONS:
        cells, missing = measure(section, datasets, only)
        if not cells and not missing:
            continue
        text = f"**{section.title}.** {section.source}.\n\n"
        text += markdown_table(header(section), cells) + "\n"
        if missing:
            text += f"Not measured, because the images are not here: {', '.join(missing)}.\n"
        parts.append(text + (f"{section.note}\n" if section.note else ""))
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def written(document: str, tables: str) -> str:
    """A document with the tables between its markers.

    Raises:
        ValueError: It has no markers.
    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the document has no lines {BEGIN!r} and {END!r}")
    return f"{before}{begin}\n\n{tables}\n{end}{after}"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, and print or write; returns the exit code."""
    arguments = _parse(argv)
    names = {row.folder.split("/")[0] for section in SECTIONS for row in section.rows}
    try:
        if unknown := set(arguments.only) - names:
            raise ValueError(f"--only: no set {', '.join(unknown)}; there are {sorted(names)}")
        document = arguments.write.read_text(encoding="utf-8") if arguments.write else ""
        if arguments.write:
            written(document, "")
        tables = report(arguments.datasets, arguments.only)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write(tables)
    if arguments.write:
        write_text(arguments.write, written(document, tables))
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Compare published figures of inputs and classic methods with ours."
    )
    parser.add_argument(
        "--datasets", type=Path, default=ROOT / "datasets" / "test", help="folder of the test sets"
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="SET", help="some sets")
    parser.add_argument("--write", type=Path, metavar="FILE", help="document with the markers")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
