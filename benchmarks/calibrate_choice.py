"""Set the limits of the diagnosis anew, on photographs of the training sets alone.

    python benchmarks/calibrate_choice.py --write

Held-out photographs (the validation part of CID22, which no network was trained on) and some of
BSDS400 are damaged by the project's own degradations: white noise, noise that all channels share,
blotches of color, JPEG, noise before JPEG, the imitated camera, correlated noise. Their noise is
measured; a logistic regression over the logarithms of the measures tells the kinds apart. Noise
that is hardly seen, such as the grain of a good scan, counts as none. The threshold lets one in
fifty pictures without noise pass as noisy. How evenly the networks then take noise away, and how
unevenly the texture of clean pictures, gives the limits by which results are judged. No test set is
looked at. With `--write` the numbers become `semanir_arch/restoring/diagnosis/limits.json`. Takes
about six minutes of one core.
"""

from __future__ import annotations

import argparse
import pickle
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from bench_choice import LOOKED_AT, Lab, Pixels, compressed, cut, noisy, psnr
from numpy.typing import NDArray

import semanir_arch.restoring.diagnosis as package
from semanir_arch.data.datasets.photograph_dataset import PhotographDataset
from semanir_arch.data.files.image_io import Image, convert_channels, load_image
from semanir_arch.data.sources.scanning import scan_images
from semanir_arch.restoring.diagnosis.evenness import is_visible, unevenness
from semanir_arch.restoring.diagnosis.findings import Diagnosis, diagnose
from semanir_arch.restoring.diagnosis.limits import NEARLY_LOSSLESS, features

TARGET = Path(package.__file__).with_name("limits.json")

FALSE_ALARMS = 0.02
"""Share of the pictures without noise that may be called noisy, and of results for noisy ones that
may be refused because they are uneven."""

TRIALS = 0.01
"""Share of clean gray pictures in which a trial may find grain."""

VISIBLE, HIDDEN = 36.0, 40.0
"""PSNR in decibels below which noise has to be found, and above which it counts as none."""

SHRINKAGE = 1e-3
FOLDS = 5

GAIN, MOSTLY = 0.2, 0.9
"""Decibels that a network must bring, and share of the pictures, for a JPEG file to be repaired."""

MOSTLY_EVEN = 0.95
"""Share of the pictures with visible noise that count as evenly noisy."""

SIDE = 192


@dataclass(frozen=True)
class Case:
    """One damaged picture.

    Args:
        picture: Origin of the picture.
        kind: Damage of the picture: `clean`, `white`, `shared`, `file`, `white file`, `blotches`,
            `camera`; those of gray pictures begin with `gray `.
        seen: Measurements of the picture.
        score: PSNR between it and the picture without damage.
    """

    picture: str
    kind: str
    seen: Diagnosis
    score: float

    @property
    def in_file(self) -> bool:
        """Whether traces of a JPEG file are in it, as `choose` counts them."""
        found = self.seen.compression
        return found is not None and found.quality < NEARLY_LOSSLESS


def main() -> None:
    """Measure, fit, and print or write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--root", type=Path, default=Path("datasets/train"))
    parser.add_argument("--images", type=int, default=24, help="of each of the two sets")
    parser.add_argument("--write", action="store_true", help=f"replace {TARGET.name}")
    parser.add_argument("--keep", type=Path, help="file in which the measures are kept")
    arguments = parser.parse_args()
    folders = [arguments.root / "CID22/validation", arguments.root / "BSDS400"]
    paths = [path for folder in folders for path in spread(scan_images(folder), arguments.images)]
    cases = measured(paths, arguments.keep)
    found: dict[str, Any] = {
        "origin": f"python benchmarks/calibrate_choice.py --images {arguments.images} --write",
        "pictures": len(paths),
        "cases": len(cases),
    }
    for name, (positive, negative) in contests(cases).items():
        found[name] = fit(positive, negative)
        say(f"{name}: {found[name]}")
    found["shared"] = between(
        [case.seen.noise.color for case in cases if case.kind == "shared"],
        [case.seen.noise.color for case in cases if case.kind == "white file"],
    )
    even = [
        case.seen.noise.unevenness
        for case in cases
        if case.kind in ("camera", "white file") and case.score < VISIBLE
    ]
    found["uneven"] = round(float(np.quantile(even, MOSTLY_EVEN)), 3)
    found["uneven_change"] = uneven_change(paths)
    found["even_grain"] = even_grain(paths)
    found["worst_quality"] = worst_quality(paths[:: max(1, len(paths) // 12)][:12])
    say(f"shared {found['shared']:.3f}, worst quality {found['worst_quality']}")
    if arguments.write:
        write(found)


def measured(paths: Sequence[Path], keep: Path | None) -> list[Case]:
    """All cases; those of an earlier call where they were kept."""
    if keep and keep.exists():
        return list(pickle.loads(keep.read_bytes()))
    cases = [case for path in paths for case in damage(path)]
    if keep:
        keep.write_bytes(pickle.dumps(cases))
    return cases


def spread(paths: Sequence[Path], count: int) -> list[Path]:
    """Some of a folder's files, from all over it."""
    return list(paths[:: max(1, len(paths) // count)][:count])


def damage(path: Path) -> Iterator[Case]:
    """One picture with every kind of damage."""
    color = np.asarray(convert_channels(Image(load_image(path).pixels), 3))
    gray = np.asarray(convert_channels(Image(color), 1))
    seed = zlib.crc32(path.name.encode())

    def case(kind: str, bad: Pixels, good: Pixels, *, files: bool = True) -> Case:
        return Case(path.name, kind, diagnose(bad, compressed=files), psnr(bad, good))

    for prefix, image in (("", color), ("gray ", gray)):
        yield case(f"{prefix}clean", image, image, files=False)
        for sigma in (2, 5, 8, 15, 25, 50):
            bad = noisy(sigma, seed + sigma)(image)
            yield case(f"{prefix}white", bad, image, files=False)
        for quality in (10, 30, 60, 80, 92):
            yield case(f"{prefix}file", compressed(quality)(image), image)
        for sigma, quality in ((5, 90), (10, 90), (15, 80), (25, 60)):
            bad = compressed(quality)(noisy(sigma, seed + sigma)(image))
            yield case(f"{prefix}white file", bad, image)
    for sigma in (10, 20, 30):
        one = np.repeat(noisy(sigma, seed + sigma)(gray), 3, axis=2).astype(np.int16)
        bad = (color + one - gray).clip(0, 255).astype(np.uint8)
        yield case("shared", bad, color, files=False)
    for sigma, blur in ((4, 1.0), (6, 2.0), (8, 3.0)):
        bad = with_colors(color, sigma, blur, seed + sigma)
        yield case("blotches", bad, color, files=False)
    weak = ("camera", {"gain": [2e-5, 4e-4]}), ("correlated", {"sigma": [0.5, 2.5]})
    drawn: list[tuple[str, dict[str, Any]]] = [
        ("camera", {}),
        ("camera", {}),
        ("camera", {}),
        ("correlated", {}),
        ("correlated", {}),
    ]
    for number, (kind, settings) in enumerate([*drawn, *weak]):
        bad, good = imitated(path, kind, number, settings)
        yield case("camera", bad, good)


def with_colors(image: Pixels, sigma: float, blur: float, seed: int) -> Pixels:
    """Blotches of color, which leave the brightness alone, as noise reduction leaves them."""
    white = np.random.default_rng(seed).normal(0, 1, (*image.shape[:2], 2))
    smooth = cv2.GaussianBlur(white, (0, 0), blur)
    red, blue = np.moveaxis(smooth * sigma / smooth.std(), 2, 0)
    green = -(0.299 * red + 0.114 * blue) / 0.587
    noise = np.stack([red, green, blue], axis=2)
    return np.asarray((image + noise).round().clip(0, 255).astype(np.uint8))


def imitated(path: Path, kind: str, seed: int, settings: dict[str, Any]) -> tuple[Pixels, Pixels]:
    """A picture as `PhotographDataset` shows it, and its target."""
    options = {"phase": "val", "dataroot_gt": str(path.parent), "mixture": {kind: 1}, "seed": seed}
    data = PhotographDataset(options | {kind: settings})
    index = [Path(name).stem for name in data.source.names].index(path.stem)
    item = data[index]
    bad, good = (
        (255 * item[key].numpy().transpose(1, 2, 0)).round().clip(0, 255).astype(np.uint8)
        for key in ("lq", "gt")
    )
    return np.ascontiguousarray(bad), np.ascontiguousarray(good)


def contests(cases: Sequence[Case]) -> dict[str, tuple[list[Case], list[Case]]]:
    """What is to be told from what."""
    clean = ("clean", "file", "gray clean", "gray file")

    def pick(*kinds: str, files: bool | None = None, hidden: bool = False) -> list[Case]:
        return [
            case
            for case in cases
            if case.kind in kinds
            and (files is None or case.in_file == files)
            and (case.kind in clean or (case.score > HIDDEN if hidden else case.score < VISIBLE))
        ]

    spread_noise = pick("blotches", "camera", files=False)
    return {
        "color": (
            [*pick("white", "shared"), *spread_noise],
            pick("clean", "white", "blotches", "camera", files=False, hidden=True),
        ),
        "color_file": (
            pick("white file", "camera", files=True),
            pick("file", files=True, hidden=True),
        ),
        "gray": (
            pick("gray white", "gray white file"),
            pick("gray clean", "gray file", "gray white", hidden=True),
        ),
        "white": (pick("white"), spread_noise),
    }


def fit(positive: Sequence[Case], negative: Sequence[Case]) -> dict[str, Any]:
    """Weights and threshold of a logistic regression, and how well it does on left-out pictures."""
    both = [*positive, *negative]
    count = min(len(features(case.seen.noise)) for case in both)
    x = np.array([features(case.seen.noise)[:count] for case in both])
    y = np.arange(len(both)) < len(positive)
    folds = np.array([zlib.crc32(case.picture.encode()) % FOLDS for case in both])
    left_out = np.zeros(len(both))
    for fold in range(FOLDS):
        weights, bias = regress(x[folds != fold], y[folds != fold])
        left_out[folds == fold] = x[folds == fold] @ weights + bias
    weights, bias = regress(x, y)
    limit = float(np.quantile(left_out[~y], 1 - FALSE_ALARMS))
    return {
        "weights": [round(float(weight), 4) for weight in weights],
        "bias": round(bias - limit, 4),
        "examples": [len(positive), len(negative)],
        "found": round(float((left_out[y] > limit).mean()), 3),
        "false_alarms": round(float((left_out[~y] > limit).mean()), 3),
    }


def regress(x: NDArray[np.float64], y: NDArray[np.bool_]) -> tuple[NDArray[np.float64], float]:
    """Weights and bias of a logistic regression whose two classes count alike; Newton's method."""
    middle = x.mean(axis=0)
    rows = np.column_stack([x - middle, np.ones(len(x))])
    share = np.where(y, 0.5 / y.mean(), 0.5 / (1 - y.mean()))
    penalty = np.diag([SHRINKAGE * share.sum()] * x.shape[1] + [0.0])
    beta = np.zeros(rows.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-np.clip(rows @ beta, -30, 30)))
        slope = rows.T @ (share * (p - y)) + penalty @ beta
        curve = (rows * (share * p * (1 - p) + 1e-9)[:, None]).T @ rows + penalty
        beta -= np.linalg.solve(curve, slope)
    return beta[:-1], float(beta[-1] - beta[:-1] @ middle)


def between(lower: Sequence[float], upper: Sequence[float]) -> float:
    """The geometric middle of nearly the largest of some numbers and nearly the least of others."""
    return round(float(np.sqrt(np.quantile(lower, 0.98) * np.quantile(upper, 0.02))), 4)


def worst_quality(paths: Sequence[Path]) -> int:
    """The best quality of JPEG files that a network still repairs."""
    lab = Lab(Path(), 0)
    reached = 0
    for quality in (70, 80, 85, 90, 95):
        shares = []
        for task, channels in (("jpeg", 3), ("jpeg_gray", 1)):
            gains = [gain(lab, task, middle(path, channels), compressed(quality)) for path in paths]
            shares.append(float(np.mean([one >= GAIN for one in gains])))
            say(f"{task}, quality {quality}: {np.mean(gains):+.2f} dB, worst {min(gains):+.2f}")
        if min(shares) < MOSTLY:
            break
        reached = quality
    return reached


def uneven_change(paths: Sequence[Path]) -> float:
    """What networks take from nearly all noisy pictures is more even than this."""
    lab = Lab(Path(), 0)
    found = []
    for path in paths:
        clean = np.asarray(convert_channels(Image(load_image(path).pixels), 3))
        gray = np.asarray(convert_channels(Image(clean), 1))
        seed = zlib.crc32(path.name.encode())
        noises = [("denoise", noisy(15, seed)(clean), clean)]
        noises.append(("denoise_gray", noisy(15, seed)(gray), gray))
        for number, kind in enumerate(("camera", "camera", "correlated")):
            noises.append(("photo", *imitated(path, kind, number, {})))
        for task, bad, good in noises:
            if psnr(bad, good) < VISIBLE:
                part = cut(bad, LOOKED_AT)
                found.append(unevenness(part, lab.run((task,), part)))
    say(f"change of {len(found)}: {np.quantile(found, (0.5, 0.9, 0.95, 0.98, 1))}")
    return round(float(np.quantile(found, 1 - FALSE_ALARMS)), 3)


def even_grain(paths: Sequence[Path]) -> float:
    """What `photo` takes from nearly all clean gray pictures is less even than this, or little."""
    lab = Lab(Path(), 0)
    found = []
    for path in paths:
        clean = np.asarray(convert_channels(Image(load_image(path).pixels), 1))
        for image in (clean, compressed(80)(clean)):
            part = cut(image, LOOKED_AT)
            result = lab.run(("photo",), part)
            found.append(unevenness(part, result) if is_visible(part, result) else np.inf)
    return round(float(np.quantile(found, TRIALS, method="lower")), 3)


def middle(path: Path, channels: int) -> Pixels:
    """A part of a photograph."""
    return cut(np.asarray(convert_channels(Image(load_image(path).pixels), channels)), SIDE)


def gain(lab: Lab, task: str, clean: Pixels, spoil: Callable[[Pixels], Pixels]) -> float:
    """Decibels that a network brings."""
    bad = spoil(clean)
    return psnr(lab.run((task,), bad), clean) - psnr(bad, clean)


def write(found: dict[str, Any]) -> None:
    """Replace the file of the package, a line for each entry."""
    import json

    lines = [f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in found.items()]
    TARGET.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def say(text: str) -> None:
    """Write a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
