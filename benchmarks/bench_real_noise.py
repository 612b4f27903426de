"""Real camera noise: our networks beside what people use instead.

    python benchmarks/bench_real_noise.py                    OpenCV and our networks, on CC15
    python benchmarks/bench_real_noise.py --bm3d --side 256  also BM3D (pip install bm3d), on crops

Pairs are read from `--pairs` with the folders lq and gt. Everything takes and gives 8 bits, and is
timed with the threads that torch and OpenCV are given (`--threads`). OpenCV's non-local means has a
strength, as has BM3D; no one knows the best one for a picture at hand. So several are shown, for
BM3D the one that is estimated from the picture (scikit-image's `estimate_sigma`), and with
`--best` the one that the truth says is best, which nobody can have.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from measure import Report, header, markdown_line, markdown_rule
from numpy.typing import NDArray
from skimage.restoration import estimate_sigma

from semanir_arch.data.files.image_io import load_image, scan_images
from semanir_arch.metrics import PROTOCOLS
from semanir_arch.restoring.restorer import Restorer
from semanir_arch.weights import available

Picture = NDArray[np.uint8]
Method = Callable[[Picture, Picture], Picture]
"""Noisy picture and truth, which only `--best` looks at, to restored picture."""

STRENGTHS = (3, 5, 10)
"""Of OpenCV's non-local means; 10 is what its documentation suggests for colour."""

FACTORS = (0.75, 1.0, 1.5, 2.0, 3.0)
"""Of the estimated sigma, for `--best`."""


def main() -> None:
    """Print the table row by row, and write it where `--output` says."""
    parser = argparse.ArgumentParser(description="Denoisers on real camera noise.")
    parser.add_argument("--pairs", type=Path, default=Path("datasets/test/CC15_real"))
    parser.add_argument("--side", type=int, default=0, help="of the centre crops; 0: whole")
    parser.add_argument("--images", type=int, default=0, help="only the first ones; 0: all")
    parser.add_argument("--tasks", nargs="*", default=["photo", "denoise"], help="our networks")
    parser.add_argument("--bm3d", action="store_true", help="also BM3D, 100 times as slow")
    parser.add_argument("--best", action="store_true", help="also BM3D at the best strength")
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
    for name, method in methods(arguments.tasks, arguments.bm3d, arguments.best).items():
        write(markdown_line([name, *measure(method, pairs)]))


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


def methods(tasks: list[str], bm3d: bool, best: bool) -> dict[str, Method]:
    """All rows of the table."""
    rows: dict[str, Method] = {"noisy input": nothing}
    for entry in available():
        if entry.task.name in tasks:
            for precision in ("fp32", "bf16"):
                restorer = Restorer(task=entry.task.name, device="cpu", precision=precision)
                rows[f"ours, {entry.task.name}, {precision}"] = partial(network, restorer)
    for strength in STRENGTHS:
        rows[f"fastNlMeansDenoisingColored, h {strength}"] = partial(non_local_means, strength)
    if bm3d:
        rows["BM3D, estimated sigma"] = block_matching
    if best:
        rows["BM3D, best sigma (truth known)"] = best_block_matching
    return rows


def nothing(noisy: Picture, truth: Picture) -> Picture:
    """The picture as it came."""
    del truth
    return noisy


def network(restorer: Restorer, noisy: Picture, truth: Picture) -> Picture:
    """One of ours."""
    del truth
    restored: Picture = restorer.restore(noisy)
    return restored


def non_local_means(strength: float, noisy: Picture, truth: Picture) -> Picture:
    """OpenCV's, with its usual windows."""
    del truth
    # BGR or RGB: it turns them into Lab, whose lightness hardly differs
    reordered = np.ascontiguousarray(noisy[..., ::-1])
    restored = cv2.fastNlMeansDenoisingColored(reordered, None, strength, strength, 7, 21)
    return np.ascontiguousarray(restored[..., ::-1]).astype(np.uint8, copy=False)


def block_matching(noisy: Picture, truth: Picture, factor: float = 1.0) -> Picture:
    """BM3D for white noise, with the mean of the estimated standard deviations of the colours."""
    del truth
    try:
        from bm3d import bm3d_rgb
    except ImportError:
        raise SystemExit("--bm3d needs the package bm3d: pip install bm3d") from None
    sigma = float(estimate_sigma(noisy / 255, channel_axis=-1, average_sigmas=True))
    return _to_8_bit(bm3d_rgb(noisy / 255, max(factor * sigma, 1e-3)))


def best_block_matching(noisy: Picture, truth: Picture) -> Picture:
    """BM3D at that multiple of the estimate which is best for the truth."""
    results = [block_matching(noisy, truth, factor) for factor in FACTORS]
    return max(results, key=lambda restored: psnr(restored, truth))


def measure(method: Method, pairs: list[tuple[Picture, Picture]]) -> list[str]:
    """Mean PSNR, the smallest gain over the input, and the time per megapixel."""
    scores, gains, seconds = [], [], []
    method(*pairs[0])
    for noisy, truth in pairs:
        start = time.process_time()
        restored = method(noisy, truth)
        seconds.append((time.process_time() - start) / noisy[..., 0].size * 1e6)
        scores.append(psnr(restored, truth))
        gains.append(scores[-1] - psnr(noisy, truth))
    return [
        f"{statistics.mean(scores):.2f}",
        f"{min(gains):+.2f}",
        f"{statistics.median(seconds):.2f}",
    ]


def psnr(restored: Picture, truth: Picture) -> float:
    """By the protocol of real pairs."""
    planes = [torch.from_numpy(image.transpose(2, 0, 1).copy()) for image in (restored, truth)]
    return PROTOCOLS["denoise_rgb"].evaluate(planes[0], planes[1])["psnr"]


def _to_8_bit(image: NDArray[Any]) -> Picture:
    return np.rint(image.clip(0, 1) * 255).astype(np.uint8)


if __name__ == "__main__":
    main()
