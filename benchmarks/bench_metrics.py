"""Time the metrics: `python benchmarks/bench_metrics.py [--output FILE]`.

Every candidate is first checked against what it is compared with. The image is one of
scikit-image's photographs, enlarged to 2K, and a noisy version of it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from measure import compare, header, markdown_table
from numpy.typing import NDArray

from semanir_arch.host import load
from semanir_arch.metrics import PROTOCOLS, psnr, semanir_ssim, ssim
from semanir_arch.metrics.ssim import KINDS

WIDTH, HEIGHT = 2048, 1080
SIGMA = 15
COLUMNS = ["what", "ms", "BasicSR's time over it", "target"]

Rows = list[list[str]]
Image = NDArray[np.uint8]


def main() -> None:
    """Print the report, and write it where `--output` says."""
    parser = argparse.ArgumentParser(description="Time the metrics.")
    parser.add_argument("--output", type=Path, help="also write the report to this Markdown file")
    parser.add_argument("--rounds", type=int, default=9, help="measurements per candidate")
    arguments = parser.parse_args()
    pair = make_pair()
    parts = []
    for threads in sorted({1, len(os.sched_getaffinity(0))}):
        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)
        cells = time_similarity(*pair, arguments.rounds)
        parts.append(f"\n## SSIM, threads: {threads}\n\n" + markdown_table(COLUMNS, cells))
    parts.append("\n## Protocols\n\n")
    parts.append(markdown_table(["protocol", "ms"], time_protocols(*pair, arguments.rounds)))
    if torch.cuda.is_available():
        parts.append("\n## GPU, eight images together\n\n")
        parts.append(markdown_table(["what", "ms per image"], time_gpu(*pair, arguments.rounds)))
    report = header("Metrics") + (
        f"A color image of {WIDTH} x {HEIGHT} pixels, uint8, with noise of sigma {SIGMA}.\n"
    )
    report += "".join(parts)
    sys.stdout.write(report)
    if arguments.output:
        arguments.output.write_text(report, encoding="utf-8")


def make_pair() -> tuple[Image, Image]:
    """Noisy and clean photograph, (H, W, 3) BGR."""
    from skimage import data

    clean = cv2.resize(data.astronaut(), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng(0).normal(0, SIGMA, clean.shape)
    noisy = (clean + noise).clip(0, 255).round().astype(np.uint8)
    return noisy, np.asarray(clean, np.uint8)


def time_similarity(noisy: Image, clean: Image, rounds: int) -> Rows:
    """Our SSIM and BasicSR's, of arrays as BasicSR hands them over and of tensors."""
    theirs = partial(load("basicsr.metrics").calculate_ssim, noisy, clean, 0)
    tensors = [to_tensor(image) for image in (noisy, clean)]
    candidates: dict[str, Callable[[], Any]] = {
        "BasicSR's calculate_ssim": theirs,
        "semanir_ssim": partial(semanir_ssim, noisy, clean),
        **{f"ssim, {kind}": partial(ssim, *tensors, kind=kind) for kind in KINDS},
    }
    expected = theirs()
    for name in ("semanir_ssim", "ssim, wang"):
        gap = abs(float(candidates[name]()) - expected)
        if gap > 1e-9:
            raise RuntimeError(f"{name} differs from BasicSR's value by {gap}")
    timings = compare(candidates, rounds, warmup=1)
    first = timings["BasicSR's calculate_ssim"]
    compared = ("semanir_ssim", "ssim, wang")
    return [
        [
            name,
            f"{timing.median:.1f}",
            f"{first.ratio(timing):.2f}",
            "5 or more" if name in compared else "",
        ]
        for name, timing in timings.items()
    ]


def time_protocols(noisy: Image, clean: Image, rounds: int) -> Rows:
    """Every protocol but the one that aligns first, which takes seconds."""
    restored, target = (to_tensor(image).float() / 255 for image in (noisy, clean))
    candidates = {
        name: partial(protocol.evaluate, restored, target, 4)
        for name, protocol in PROTOCOLS.items()
        if not protocol.aligned
    }
    timings = compare(candidates, max(3, rounds // 3), warmup=1)
    return [[name, f"{timing.median:.0f}"] for name, timing in timings.items()]


def time_gpu(noisy: Image, clean: Image, rounds: int) -> Rows:
    """Batches on the device, in double precision."""
    pair = [to_tensor(image)[None].expand(8, -1, -1, -1).cuda() for image in (noisy, clean)]
    candidates = {
        "psnr": partial(psnr, *pair),
        **{f"ssim, {kind}": partial(ssim, *pair, kind=kind) for kind in KINDS},
    }
    timings = compare(candidates, rounds)
    return [[name, f"{timing.median / 8:.2f}"] for name, timing in timings.items()]


def to_tensor(image: Image) -> torch.Tensor:
    """(H, W, 3) BGR as (3, H, W) RGB."""
    return torch.from_numpy(image[..., ::-1].transpose(2, 0, 1).copy())


if __name__ == "__main__":
    main()
