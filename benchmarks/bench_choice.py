"""How often `--task auto` takes the network that helps most: a table of what it chose.

    python benchmarks/bench_choice.py --images 10 --output benchmarks/results/choice.md

Every test picture is damaged as tables of papers do, stored in 8 bits, and looked at; its middle is
restored by every network that fits its color. The choice counts as right if its PSNR is at most
0.2 dB below that of the best of them, or of the picture left as it is. A clean picture must be left
as it is, or come out at 45 dB or more from itself (an enlarged one after reducing it again).
"""

from __future__ import annotations

import argparse
import io
import json
import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from measure import header as describe
from numpy.typing import NDArray

from semanir_arch.data.degradations.matlab_resize import crop_to_multiple, matlab_resize
from semanir_arch.data.files.image_io import Image, convert_channels, load_image
from semanir_arch.data.sources.scanning import scan_images
from semanir_arch.restoring.chain import Chooser
from semanir_arch.restoring.diagnosis import choose, diagnose
from semanir_arch.restoring.restorer import Restorer
from semanir_arch.restoring.strength import enlarged
from semanir_arch.weights import available

Pixels = NDArray[np.uint8]

NEAR, UNTOUCHED = 0.2, 45.0

LOOKED_AT = 320
"""Side of the part by which a network's result is judged; the command looks at all of it."""

COLOR = ("CBSD68", "Kodak24_crop500", "McMaster", "LIVE1_color")
GRAY = ("Set12", "BSD68_gray", "classic5")
SMALL = ("Set5/HR", "Set14/HR")
REAL = "CC15_real"
STORED = 85
"""Quality of the JPEG files as which the real pictures count once more."""
GROUPS = ("clean", "noise", "JPEG", "halves", "real")


@dataclass
class Line:
    """One row of the table.

    Args:
        group: Kind of damage; the closing table counts by it.
        what: Set and damage.
        chosen: Number of times each choice was made.
        right: Pictures for which it was right.
        scores: PSNR of the input, the choice and the best, for every picture.
    """

    group: str
    what: str
    chosen: Counter[str] = field(default_factory=Counter)
    right: int = 0
    scores: list[tuple[float, float, float]] = field(default_factory=list)

    def add(self, tasks: tuple[str, ...], scores: tuple[float, float, float], least: float) -> None:
        """Count a picture: its choice is right from `least` decibels on."""
        self.chosen["+".join(tasks) or "left"] += 1
        self.right += scores[1] >= least
        self.scores.append(scores)

    def __str__(self) -> str:
        count = sum(self.chosen.values())
        names = ", ".join(f"{name} {number}" for name, number in self.chosen.most_common())
        # identical pictures are infinitely near
        finite = [s for s in self.scores if all(map(math.isfinite, s))]
        means = [f"{np.mean(c):.2f}" for c in zip(*finite, strict=True)] if finite else ["-"] * 3
        return f"| {self.what} | {count} | {names} | {self.right} | {' | '.join(means)} |"


class Lab:
    """Damages pictures, and restores them by every network that fits.

    Args:
        root: Folder of the sets.
        most: Pictures of each set at most.
        side: Side of the middle part that is restored and scored; what is chosen for the whole
            picture counts.
        known: Scores by row, picture and networks; what is missing is measured and added.
    """

    def __init__(
        self, root: Path, most: int, side: int = 256, known: dict[str, float] | None = None
    ) -> None:
        self.root, self.most, self.side = root, most, side
        self.known = {} if known is None else known
        self.shipped = [one.task.name for one in available()]
        self.chooser = Chooser(lambda task: Restorer(task=task, device="cpu"))

    def pictures(self, name: str, channels: int) -> Iterator[Pixels]:
        """Clean pictures of a set, spread over it."""
        paths = scan_images(self.root / name)
        step = max(1, len(paths) // self.most)
        for path in paths[::step][: self.most]:
            yield np.asarray(convert_channels(Image(load_image(path).pixels), channels))

    def run(self, tasks: tuple[str, ...], image: Pixels) -> Pixels:
        """The picture after some networks."""
        return np.asarray(self.chooser.chain(tasks).restore(image))

    def candidates(self, gray: bool) -> list[tuple[str, ...]]:
        """Networks that keep the size of a picture and are no demonstrations."""
        names = ("denoise_gray", "jpeg_gray", "photo") if gray else ("denoise", "jpeg", "photo")
        return [(name,) for name in names if name in self.shipped]

    def choice(self, image: Pixels, tables: dict[int, Any] | None = None) -> tuple[str, ...]:
        """What `--task auto` takes, and keeps the result of."""
        choice = choose(diagnose(image, tables), self.shipped, judged=True)
        part = cut(image, LOOKED_AT)
        for attempt in self.chooser.attempts(choice):
            if attempt.judge is None or attempt.keeps(part, attempt.chain.restore(part)):
                return attempt.tasks
        return ()

    def score(self, place: str, tasks: tuple[str, ...], measure: Callable[[], float]) -> float:
        """A score that is measured once."""
        key = f"{self.most} x {self.side}, {place}: {'+'.join(tasks)}"
        if key not in self.known:
            self.known[key] = measure()
        return self.known[key]

    def damaged(self, group: str, what: str, pairs: Iterable[tuple[Pixels, Pixels]]) -> Line:
        """Judge the choice for damaged pictures, given with their clean ones."""
        line = Line(group, what)
        for number, (whole, target) in enumerate(pairs):
            tasks = self.choice(whole)
            bad, clean = cut(whole, self.side), cut(target, self.side)
            scores: dict[tuple[str, ...], float] = {}
            for names in {(), tasks, *self.candidates(bad.shape[2] == 1)}:
                scores[names] = self.score(
                    f"{what} {number}", names, partial(self._gained, names, bad, clean)
                )
            best = max(scores.values())
            line.add(tasks, (scores[()], scores[tasks], best), best - NEAR)
        return line

    def _gained(self, tasks: tuple[str, ...], bad: Pixels, clean: Pixels) -> float:
        result = self.run(tasks, bad) if tasks else bad
        return psnr(result, clean) if result.shape == clean.shape else 0.0

    def halves(self, name: str) -> Line:
        """Judge the choice for bicubically reduced pictures."""
        line = Line("halves", f"{name}, half the size")
        for number, picture in enumerate(self.pictures(name, 3)):
            clean = crop_to_multiple(picture, 2)
            small = np.ascontiguousarray(matlab_resize(clean, 0.5))
            tasks = self.choice(small)
            bicubic = psnr(enlarged(small, 2), clean)
            scores: dict[tuple[str, ...], float] = {(): bicubic}
            for names in {tasks, ("sr_x2",)} - {()}:
                scores[names] = self.score(
                    f"{line.what} {number}", names, partial(self._gained, names, small, clean)
                )
            best = max(scores.values())
            line.add(tasks, (bicubic, scores[tasks], best), best - NEAR)
        return line

    def clean(self, name: str, channels: int) -> Line:
        """Judge that nothing is made worse."""
        line = Line("clean", f"{name}, clean")
        for number, whole in enumerate(self.pictures(name, channels)):
            tasks = self.choice(whole)
            score = math.inf
            if tasks:
                picture = cut(whole, self.side)
                score = self.score(
                    f"{line.what} {number}", tasks, partial(self._kept, tasks, picture)
                )
            line.add(tasks, (math.inf, score, math.inf), UNTOUCHED)
        return line

    def _kept(self, tasks: tuple[str, ...], picture: Pixels) -> float:
        """How near a result is to its clean input, after reducing it where it was enlarged."""
        result = self.run(tasks, picture)
        scale = result.shape[0] // picture.shape[0]
        return psnr(np.asarray(matlab_resize(result, 1 / scale)) if scale > 1 else result, picture)


def cut(image: Pixels, side: int) -> Pixels:
    """The middle of a picture; it begins where blocks of JPEG begin."""
    rows, columns = (min(side, length) for length in image.shape[:2])
    top, left = (
        (a - b) // 2 // 8 * 8 for a, b in zip(image.shape[:2], (rows, columns), strict=True)
    )
    return np.ascontiguousarray(image[top : top + rows, left : left + columns])


def psnr(image: Pixels, target: Pixels) -> float:
    """In decibels, over all channels of 8-bit pictures."""
    error = float(np.square(image.astype(np.float64) - target).mean())
    return 10 * math.log10(255**2 / error) if error else math.inf


def noisy(sigma: float, seed: int = 0) -> Callable[[Pixels], Pixels]:
    """Gaussian noise, stored in 8 bits."""

    def damage(image: Pixels) -> Pixels:
        noise = np.random.default_rng(seed).normal(0, sigma, image.shape)
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


def measure(lab: Lab, wanted: Collection[str] = GROUPS) -> Iterator[Line]:
    """The rows of the wanted groups."""
    for name in (*COLOR, *SMALL, *GRAY) if "clean" in wanted else ():
        yield lab.clean(name, 1 if name in GRAY else 3)
    noises = [(name, 3) for name in COLOR[:3]] + [(name, 1) for name in GRAY[:2]]
    files = [(COLOR[3], 3), ("LIVE1_gray", 1), ("classic5", 1)]
    for sets, kind, levels in (
        (noises, noisy, (15, 25, 50)),
        (files, compressed, (10, 20, 30, 40)),
    ):
        word, group = ("sigma", "noise") if kind is noisy else ("quality", "JPEG")
        for name, channels in sets if group in wanted else ():
            for level in levels:
                pairs = _damage(lab.pictures(name, channels), kind(level))
                color = "color" if channels == 3 else "gray"
                yield lab.damaged(f"{group}, {color}", f"{name}, {word} {level}", pairs)
    for name in SMALL if "halves" in wanted else ():
        yield lab.halves(name)
    if "real" not in wanted:
        return
    for channels, color in ((3, REAL), (1, f"{REAL}, gray")):
        sides = [list(lab.pictures(f"{REAL}/{side}", channels)) for side in ("lq", "gt")]
        yield lab.damaged("real noise", color, zip(*sides, strict=True))
        stored = [compressed(STORED)(image) for image in sides[0]]
        pairs = zip(stored, sides[1], strict=True)
        yield lab.damaged("real noise", f"{color}, quality {STORED}", pairs)


def _damage(
    pictures: Iterator[Pixels], damage: Callable[[Pixels], Pixels]
) -> Iterator[tuple[Pixels, Pixels]]:
    for picture in pictures:
        yield damage(picture), picture


def say(text: str) -> None:
    """Write a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def by_group(lines: Sequence[Line]) -> list[str]:
    """A table of how often the choice was right, by kind of damage."""
    rows = ["| group | pictures | right | share |", "| --- | ---: | ---: | ---: |"]
    for group in [*dict.fromkeys(line.group for line in lines), "all"]:
        members = [line for line in lines if group in (line.group, "all")]
        count, right = sum(len(one.scores) for one in members), sum(one.right for one in members)
        rows.append(f"| {group} | {count} | {right} | {100 * right / count:.1f} % |")
    return rows


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description="What --task auto chooses, and how well.")
    parser.add_argument("--root", type=Path, default=Path("datasets/test"))
    parser.add_argument("--images", type=int, default=10, help="of each set at most")
    parser.add_argument("--side", type=int, default=256, help="of the part that is restored")
    parser.add_argument("--scores", type=Path, help="JSON file that keeps scores of networks")
    parser.add_argument("--groups", nargs="+", choices=GROUPS, default=GROUPS)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    start, lines = time.process_time(), []
    keep = arguments.scores
    known = json.loads(keep.read_text()) if keep and keep.exists() else {}
    lab = Lab(arguments.root, arguments.images, arguments.side, known)
    header = ["| set | images | chosen | right | input dB | chosen dB | best dB |"]
    header.append("| --- | ---: | --- | ---: | ---: | ---: | ---: |")
    say("\n".join(header))
    for line in measure(lab, arguments.groups):
        lines.append(line)
        say(str(line))
        if keep:
            keep.write_text(json.dumps(lab.known))
    closing = by_group(lines)
    say("\n".join(["", *closing, f"{time.process_time() - start:.0f} processor seconds"]))
    if arguments.output:
        title = describe("What --task auto chooses")
        text = "\n".join([title, *closing, "", *header, *map(str, lines)])
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
