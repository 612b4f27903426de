"""Speed, memory and tiles of restoring: `python benchmarks/bench_restore.py [--output FILE]`.

    python benchmarks/bench_restore.py --parts speed --threads 1 --processor

The second command is for a machine that does other work: it counts processor seconds.

Networks are those that the package ships, pictures those of scikit-image. Memory is that of the
whole command, files included, in a process of its own.
"""

from __future__ import annotations

import argparse
import importlib.resources
import json
import math
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from measure import compare, header, markdown_table

from semanir_arch.data.degradations.jpeg import compress_jpeg
from semanir_arch.data.degradations.matlab_resize import matlab_resize
from semanir_arch.data.files.image_io import load_image, write_image
from semanir_arch.restoring.restorer import Restorer
from semanir_arch.utils.memory import peak_memory
from semanir_arch.weights import Task, available

Picture = npt.NDArray[Any]

TILES = (64, 128, 192, 256, 384)
"""Sides of tiles that are compared with the whole picture, in pixels."""

PRECISIONS = ("fp32", "bf16")

PARTS = ("speed", "tiles", "memory")

SIGMA, QUALITY = 25, 20
"""Damage of the picture for blind networks."""


def main() -> None:
    """Print the report, and write it where `--output` says."""
    parser = argparse.ArgumentParser(description="Measure restoring with the shipped networks.")
    parser.add_argument("--side", type=int, default=512, help="of the picture that is timed")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each time")
    parser.add_argument(
        "--megapixels", type=int, default=24, help="of the photo for memory; 0: leave it out"
    )
    parser.add_argument("--tasks", nargs="*", help="only these")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="of the report")
    parser.add_argument("--threads", type=int, default=0, help="of torch; 0: as it chooses")
    parser.add_argument("--processor", action="store_true", help="count processor seconds")
    parser.add_argument("--output", type=Path, help="also write the report to this Markdown file")
    parser.add_argument("--measure", nargs="*", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
        cv2.setNumThreads(arguments.threads)
    if arguments.measure is not None:
        sys.stdout.write(json.dumps(run_command(arguments.measure)))
        return
    tasks = [w.task for w in available() if not arguments.tasks or w.task.name in arguments.tasks]
    parts = [header("Restoring")]
    if "speed" in arguments.parts:
        parts += report_speed(tasks, arguments.side, arguments.rounds, arguments.processor)
    if "tiles" in arguments.parts:
        parts += report_tiles(tasks)
    if "memory" in arguments.parts and arguments.megapixels and tasks:
        parts += report_memory(tasks[0], arguments.megapixels)
    report = "\n".join(parts)
    sys.stdout.write(report)
    if arguments.output:
        arguments.output.write_text(report)


def report_speed(tasks: list[Task], side: int, rounds: int, processor: bool) -> list[str]:
    """Megapixels of input per second, per task and precision."""
    clock, seconds = (
        (time.process_time, "processor second") if processor else (time.perf_counter, "second")
    )
    photo = read_photo("astronaut.png")
    picture = np.tile(photo, (math.ceil(side / 512), math.ceil(side / 512), 1))[:side, :side]
    rows = []
    for task in tasks:
        restorers = {name: Restorer(task=task.name, precision=name) for name in PRECISIONS}
        times = compare(
            {name: partial(r.restore, picture) for name, r in restorers.items()}, rounds, 1, clock
        )
        speeds = [f"{picture[..., 0].size / 1e3 / times[name].median:.3f}" for name in PRECISIONS]
        rows.append([task.name, *speeds, f"{times['fp32'].ratio(times['bf16']):.2f}"])
    return [
        f"Megapixels of input per {seconds}, color, {side} x {side} pixels, without files:\n",
        markdown_table(["task", *PRECISIONS, "bf16 to fp32"], rows),
    ]


def report_tiles(tasks: list[Task]) -> list[str]:
    """Report how much the score of a restored photograph depends on the tiles."""
    clean = read_photo("astronaut.png")
    rows = []
    for task in tasks:
        picture = damaged(clean, task)
        whole = psnr(Restorer(task=task.name, tile=None).restore(picture), clean)
        cells = [
            f"{psnr(Restorer(task=task.name, tile=t).restore(picture), clean) - whole:+.4f}"
            if t < max(picture.shape)
            else ""
            for t in TILES
        ]
        rows.append([task.name, f"{whole:.2f}", *cells])
    return [
        "PSNR of one photograph (512 x 512 pixels) restored whole, and what tiles change, in dB:\n",
        markdown_table(["task", "whole", *(f"tile {tile}" for tile in TILES)], rows),
    ]


def report_memory(task: Task, megapixels: int) -> list[str]:
    """Peak memory and time of the command on a large photo, and on a small one."""
    photo = read_photo("astronaut.png")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for count in (1, megapixels):
            side = round(math.sqrt(count * 1e6))
            copies = math.ceil(side / len(photo))
            source = Path(folder, f"{count}.png")
            write_image(source, np.tile(photo, (copies, copies, 1))[:side, :side])
            command = [sys.executable, __file__, "--measure", task.name, str(source), folder]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
            peak, seconds = json.loads(done.stdout.splitlines()[-1])
            rows.append([f"{side} x {side}", f"{peak / 2**20:.0f}", f"{seconds:.0f}"])
    return [
        f"`semanir-restore --task {task.name} --device cpu` on a PNG file, the whole process:\n",
        markdown_table(["pixels", "peak memory, MiB", "time, s"], rows),
    ]


def run_command(arguments: list[str]) -> tuple[int, float]:
    """Restore one file by the command; bytes of memory at most, and seconds."""
    from semanir_arch.commands import restore as cli

    task, source, folder = arguments
    start = time.perf_counter()
    command = [source, "-o", f"{folder}/result.png", "--task", task, "--overwrite"]
    if cli.main([*command, "--device", "cpu"]) != 0:
        raise SystemExit(1)
    return peak_memory() or 0, time.perf_counter() - start


def damaged(clean: Picture, task: Task) -> Picture:
    """A photograph (H, W, 3) as a task's network expects it, as far as that is simple."""
    if task.strength == "sigma":
        noise = np.random.default_rng(0).normal(0, SIGMA, clean.shape)
        return np.rint((clean + noise).clip(0, 255)).astype(np.uint8)
    if task.strength == "quality":
        return compress_jpeg(clean, QUALITY)
    if task.scale > 1:
        return matlab_resize(clean, 1 / task.scale)
    return clean


def psnr(image: Picture, clean: Picture) -> float:
    """PSNR in decibels, of 8-bit images."""
    error = np.square(image.astype(np.float64) - clean).mean()
    return float(10 * np.log10(255**2 / error)) if error else math.inf


def read_photo(name: str) -> Picture:
    """One of scikit-image's photographs, RGB."""
    with importlib.resources.as_file(importlib.resources.files("skimage.data") / name) as path:
        return load_image(path).color


if __name__ == "__main__":
    cv2.setNumThreads(torch.get_num_threads())
    main()
