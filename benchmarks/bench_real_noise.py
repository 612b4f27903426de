"""Real camera noise: our networks beside what people use instead.

    python benchmarks/bench_real_noise.py                    OpenCV and our networks, on CC15
    python benchmarks/bench_real_noise.py --bm3d --side 256  also BM3D (pip install bm3d), on crops

Pairs are read from `--pairs` with the folders lq and gt. Everything takes and gives 8 bits, and is
timed in processor seconds. Non-local means has a strength, as has BM3D, and nobody tells the best
one for a picture at hand. So several are shown, and below them what the best of these for each
picture would give, for which one must know the truth.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from measure import Report, header, markdown_line, markdown_rule
from numpy.typing import NDArray

from semanir_arch.data.files.image_io import load_image
from semanir_arch.data.sources.scanning import scan_images
from semanir_arch.metrics import PROTOCOLS
from semanir_arch.restoring.restorer import Restorer

Picture = NDArray[np.uint8]
Method = Callable[[Picture], Picture]

OURS = "ours"

STRENGTHS = (3, 5, 10)
"""Strengths of OpenCV's non-local means; 10 is what its documentation suggests for color."""

SIGMAS = (10, 15, 25)
"""Strengths of BM3D for white noise, on the 0-255 scale."""


def main() -> None:
    """Print the table row by row, and write it where `--output` says."""
    parser = argparse.ArgumentParser(description="Denoisers on real camera noise.")
    parser.add_argument("--pairs", type=Path, default=Path("datasets/test/CC15_real"))
    parser.add_argument("--side", type=int, default=0, help="of the centre crops; 0: whole")
    parser.add_argument("--images", type=int, default=0, help="only the first ones; 0: all")
    parser.add_argument("--tasks", nargs="*", default=["photo", "denoise"], help="our networks")
    parser.add_argument("--bm3d", action="store_true", help="also BM3D, 100 times as slow")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, help="also write the report to this Markdown file")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(arguments.threads)
    pairs = read_pairs(arguments.pairs, arguments.side, arguments.images)
    write = Report(arguments.output)
    write(header("Real camera noise") + "\n")
    height, width = pairs[0][0].shape[:2]
    write(f"{arguments.pairs}: {len(pairs)} pairs of {width} x {height} pixels.\n\n")
    write(markdown_rule(["method", "PSNR, dB", "worst gain, dB", "seconds per megapixel"]))
    inputs = [psnr(noisy, truth) for noisy, truth in pairs]
    write(markdown_line(["noisy input", f"{statistics.mean(inputs):.2f}", "", ""]))
    for title, methods in families(arguments.tasks, arguments.bm3d).items():
        rows = []
        for name, method in methods.items():
            scores, seconds = measure(method, pairs)
            rows.append(scores)
            write(line(f"{title}, {name}", scores, inputs, f"{seconds:.2f}"))
        if title != OURS:
            best = [max(of_one) for of_one in zip(*rows, strict=True)]
            write(line(f"{title}, best of these for each picture", best, inputs, ""))


def line(name: str, scores: list[float], inputs: list[float], seconds: str) -> str:
    """A row of the table."""
    worst = min(score - before for score, before in zip(scores, inputs, strict=True))
    return markdown_line([name, f"{statistics.mean(scores):.2f}", f"{worst:+.2f}", seconds])


def read_pairs(folder: Path, side: int, count: int) -> list[tuple[Picture, Picture]]:
    """Noisy pictures and their truths, cut to the middle."""
    pairs = []
    for path in scan_images(folder / "lq"):
        noisy, truth = (load_image(folder / part / path.name).color for part in ("lq", "gt"))
        pairs.append((centre(noisy, side), centre(truth, side)))
    return pairs[: count or None]


def centre(picture: Picture, side: int) -> Picture:
    """A square of the middle; 0 for all."""
    if not side:
        return picture
    top, left = ((length - side) // 2 for length in picture.shape[:2])
    return np.ascontiguousarray(picture[top : top + side, left : left + side])


def families(tasks: list[str], bm3d: bool) -> dict[str, dict[str, Method]]:
    """All rows of the table."""
    ours: dict[str, Method] = {
        f"{task}, {precision}": Restorer(task=task, device="cpu", precision=precision).restore
        for task in tasks
        for precision in ("fp32", "bf16")
    }
    means: dict[str, Method] = {f"h {h}": partial(non_local_means, h) for h in STRENGTHS}
    rows = {OURS: ours, "fastNlMeansDenoisingColored": means}
    if bm3d:
        rows["BM3D"] = {f"sigma {sigma}": partial(block_matching, sigma) for sigma in SIGMAS}
    return rows


def non_local_means(strength: float, noisy: Picture) -> Picture:
    """OpenCV's, with its usual windows."""
    reordered = np.ascontiguousarray(noisy[..., ::-1])
    restored = cv2.fastNlMeansDenoisingColored(reordered, None, strength, strength, 7, 21)
    return np.ascontiguousarray(restored[..., ::-1]).astype(np.uint8, copy=False)


def block_matching(sigma: float, noisy: Picture) -> Picture:
    """BM3D for white noise of a standard deviation."""
    try:
        from bm3d import bm3d_rgb
    except ImportError:
        raise SystemExit("--bm3d needs the package bm3d: pip install bm3d") from None
    restored = bm3d_rgb(noisy / 255, sigma / 255)
    return np.rint(restored.clip(0, 1) * 255).astype(np.uint8)


def measure(method: Method, pairs: list[tuple[Picture, Picture]]) -> tuple[list[float], float]:
    """PSNR of every picture, and the median of processor seconds per megapixel."""
    scores, seconds = [], []
    # the first call of a network prepares its convolutions
    method(pairs[0][0][:64, :64])
    for noisy, truth in pairs:
        start = time.process_time()
        restored = method(noisy)
        seconds.append((time.process_time() - start) / noisy[..., 0].size * 1e6)
        scores.append(psnr(restored, truth))
    return scores, statistics.median(seconds)


def psnr(restored: Picture, truth: Picture) -> float:
    """PSNR by the protocol of real pairs."""
    planes = [torch.from_numpy(image.transpose(2, 0, 1).copy()) for image in (restored, truth)]
    return PROTOCOLS["denoise_rgb"].evaluate(planes[0], planes[1])["psnr"]


if __name__ == "__main__":
    main()
