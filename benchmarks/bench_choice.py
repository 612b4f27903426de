"""How often `--task auto` takes the network that helps most: a table of what it chose.

    python benchmarks/bench_choice.py --images 10 --output benchmarks/results/choice.md

Every test picture is damaged as tables of papers do, stored in 8 bits, looked at, and restored by
every network that fits its color. The choice counts as right if its PSNR is at most 0.2 dB below
that of the best of them, or of the picture left as it is. A clean picture must be left as it is, or
come out at 45 dB or more from itself (an enlarged one after reducing it again).
"""

from __future__ import annotations

import argparse
import io
import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from measure import header as describe
from numpy.typing import NDArray

from semanir_arch.data.degradations.matlab_resize import crop_to_multiple, matlab_resize
from semanir_arch.data.files.image_io import Image, convert_channels, load_image
from semanir_arch.data.sources.scanning import scan_images
from semanir_arch.restoring.chain import Chain
from semanir_arch.restoring.diagnosis import choose, diagnose
from semanir_arch.restoring.restorer import Restorer
from semanir_arch.restoring.strength import enlarged
from semanir_arch.weights import available

Pixels = NDArray[np.uint8]

NEAR, UNTOUCHED = 0.2, 45.0

COLOR = ("CBSD68", "Kodak24_crop500", "McMaster", "LIVE1_color")
GRAY = ("Set12", "BSD68_gray", "classic5")
SMALL = ("Set5/HR", "Set14/HR")
REAL = "CC15_real"


@dataclass
class Line:
    """One row of the table.

    Args:
        what: Set and damage.
        chosen: Number of times each choice was made.
        right: Pictures for which it was right.
        scores: PSNR of the input, the choice and the best, for every picture.
    """

    what: str
    chosen: Counter[str] = field(default_factory=Counter)
    right: int = 0
    scores: list[tuple[float, float, float]] = field(default_factory=list)

    def __str__(self) -> str:
        count = sum(self.chosen.values())
        names = ", ".join(f"{name} {number}" for name, number in self.chosen.most_common())
        # identical pictures are infinitely near
        finite = [s for s in self.scores if all(map(math.isfinite, s))]
        means = [f"{np.mean(c):.2f}" for c in zip(*finite, strict=True)] if finite else ["-"] * 3
        return f"| {self.what} | {count} | {names} | {self.right} | {' | '.join(means)} |"


class Lab:
    """Damages pictures, and restores them by every network that fits."""

    def __init__(self, root: Path, most: int) -> None:
        self.root, self.most = root, most
        self.shipped = [one.task.name for one in available()]
        self._opened: dict[str, Restorer] = {}

    def pictures(self, name: str, channels: int) -> Iterator[Pixels]:
        """Clean pictures of a set, spread over it."""
        paths = scan_images(self.root / name)
        step = max(1, len(paths) // self.most)
        for path in paths[::step][: self.most]:
            yield np.asarray(convert_channels(Image(load_image(path).pixels), channels))

    def run(self, tasks: tuple[str, ...], image: Pixels) -> Pixels:
        """The picture after some networks."""
        for task in tasks:
            self._opened.setdefault(task, Restorer(task=task, device="cpu"))
        return np.asarray(Chain([self._opened[task] for task in tasks]).restore(image))

    def candidates(self, gray: bool) -> list[tuple[str, ...]]:
        """Networks that keep the size of a picture and are no demonstrations."""
        names = ("denoise_gray", "jpeg_gray") if gray else ("denoise", "jpeg", "photo")
        return [(name,) for name in names if name in self.shipped]

    def choice(self, image: Pixels, tables: dict[int, Any] | None = None) -> tuple[str, ...]:
        """Tasks that `--task auto` chooses."""
        return choose(diagnose(image, tables), self.shipped).tasks

    def damaged(self, what: str, pairs: Iterator[tuple[Pixels, Pixels]]) -> Line:
        """Judge the choice for damaged pictures, given with their clean ones."""
        line = Line(what)
        for bad, clean in pairs:
            tasks = self.choice(bad)
            scores: dict[tuple[str, ...], float] = {(): psnr(bad, clean)}
            for candidate in self.candidates(bad.shape[2] == 1):
                scores[candidate] = psnr(self.run(candidate, bad), clean)
            if tasks not in scores:
                result = self.run(tasks, bad)
                scores[tasks] = psnr(result, clean) if result.shape == clean.shape else -math.inf
            best = max(scores.values())
            line.chosen["+".join(tasks) or "left"] += 1
            line.right += scores[tasks] >= best - NEAR
            line.scores.append((scores[()], scores[tasks], best))
        return line

    def halves(self, name: str) -> Line:
        """Judge the choice for bicubically reduced pictures."""
        line = Line(f"{name}, half the size")
        for picture in self.pictures(name, 3):
            clean = crop_to_multiple(picture, 2)
            small = np.ascontiguousarray(matlab_resize(clean, 0.5))
            tasks = self.choice(small)
            bicubic, best = (
                psnr(enlarged(small, 2), clean),
                psnr(self.run(("sr_x2",), small), clean),
            )
            result = self.run(tasks, small) if tasks else enlarged(small, 2)
            score = psnr(result, clean) if result.shape == clean.shape else bicubic
            line.chosen["+".join(tasks) or "left"] += 1
            line.right += score >= max(best, bicubic) - NEAR
            line.scores.append((bicubic, score, max(best, bicubic)))
        return line

    def clean(self, name: str, channels: int) -> Line:
        """Judge that nothing is made worse."""
        line = Line(f"{name}, clean")
        for picture in self.pictures(name, channels):
            tasks = self.choice(picture)
            result = self.run(tasks, picture) if tasks else picture
            scale = result.shape[0] // picture.shape[0]
            same = matlab_resize(result, 1 / scale) if scale > 1 else result
            score = psnr(same, picture)
            line.chosen["+".join(tasks) or "left"] += 1
            line.right += score >= UNTOUCHED
            line.scores.append((math.inf, score, math.inf))
        return line


def psnr(image: Pixels, target: Pixels) -> float:
    """PSNR in decibels, over all channels of 8-bit pictures."""
    error = float(np.square(image.astype(np.float64) - target).mean())
    return 10 * math.log10(255**2 / error) if error else math.inf


def noisy(sigma: float) -> Callable[[Pixels], Pixels]:
    """Gaussian noise, stored in 8 bits."""

    def damage(image: Pixels) -> Pixels:
        noise = np.random.default_rng(0).normal(0, sigma, image.shape)
        return np.asarray(np.clip(image + noise, 0, 255).round().astype(np.uint8))

    return damage


def compressed(quality: int) -> Callable[[Pixels], Pixels]:
    """The pixels of a JPEG file, as a PNG file would hold them: without its tables."""

    def damage(image: Pixels) -> Pixels:
        buffer = io.BytesIO()
        PIL.Image.fromarray(image.squeeze()).save(buffer, "JPEG", quality=quality)
        pixels = np.asarray(PIL.Image.open(buffer))
        return pixels.reshape(image.shape)

    return damage


def measure(lab: Lab) -> Iterator[Line]:
    """All rows."""
    clean = [(name, 3) for name in (*COLOR, *SMALL)] + [(name, 1) for name in GRAY]
    for name, channels in clean:
        yield lab.clean(name, channels)
    noises = [(name, 3) for name in COLOR[:3]] + [(name, 1) for name in GRAY[:2]]
    files = [(COLOR[3], 3), ("LIVE1_gray", 1), ("classic5", 1)]
    for sets, kind, levels in (
        (noises, noisy, (15, 25, 50)),
        (files, compressed, (10, 20, 30, 40)),
    ):
        word = "sigma" if kind is noisy else "quality"
        for name, channels in sets:
            for level in levels:
                pairs = _damage(lab.pictures(name, channels), kind(level))
                yield lab.damaged(f"{name}, {word} {level}", pairs)
    for name in SMALL:
        yield lab.halves(name)
    sides = [lab.pictures(f"{REAL}/{side}", 3) for side in ("lq", "gt")]
    yield lab.damaged(f"{REAL}, real noise", zip(*sides, strict=True))


def _damage(
    pictures: Iterator[Pixels], damage: Callable[[Pixels], Pixels]
) -> Iterator[tuple[Pixels, Pixels]]:
    for picture in pictures:
        yield damage(picture), picture


def say(text: str) -> None:
    """Write a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description="What --task auto chooses, and how well.")
    parser.add_argument("--root", type=Path, default=Path("datasets/test"))
    parser.add_argument("--images", type=int, default=10, help="of each set at most")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    start, lines = time.monotonic(), []
    header = ["| set | images | chosen | right | input dB | chosen dB | best dB |"]
    header.append("| --- | ---: | --- | ---: | ---: | ---: | ---: |")
    say("\n".join(header))
    for line in measure(Lab(arguments.root, arguments.images)):
        lines.append(line)
        say(str(line))
    count, right = sum(len(one.scores) for one in lines), sum(one.right for one in lines)
    closing = f"Right for {right} of {count} pictures ({100 * right / count:.1f} %)."
    say(f"\n{closing} {time.monotonic() - start:.0f} s")
    if arguments.output:
        title = describe("What --task auto chooses")
        text = "\n".join([title, *header, *map(str, lines), "", closing])
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
