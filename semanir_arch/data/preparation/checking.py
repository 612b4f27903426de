"""The data sets of an option file, looked at before training starts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from semanir_arch.data.preparation.fingerprints import Fingerprint, fingerprint
from semanir_arch.data.preparation.leaks import Gallery
from semanir_arch.data.preparation.parallel_jobs import run_jobs
from semanir_arch.data.sources.image_source import ImageSource
from semanir_arch.data.sources.pair_index import PairIndex, build_pair_index
from semanir_arch.data.sources.source_opening import open_source
from semanir_arch.utils.errors import UserError
from semanir_arch.utils.options import read_options

TARGETS = "dataroot_gt"
"""The option that names clean images; leaks are looked for among these."""

_BATCH = 16
_PAIRING_DEFAULTS: dict[str, Any] = {
    "filename_tmpl": "{}",
    "name_rule": "same",
    "meta_info_file": None,
    "meta_info_columns": ("gt",),
    "index_cache": None,
}

Roots = tuple[str, ...]
Report = Callable[[str], None]

Notice = Callable[[str, Fingerprint], None]
"""Takes the path and the fingerprint of a clean image."""


@dataclass(frozen=True)
class ImageFacts:
    """Known facts of an image.

    Args:
        shape: Height, width and channels.
        bits: Bits per sample.
    """

    shape: tuple[int, int, int]
    bits: int


@dataclass
class RootReport:
    """Known facts of the images of one option.

    Args:
        key: Block and option, `train:dataroot_gt`.
        roots: The folders or LMDBs.
        paths: Paths of all images.
        facts: Facts of the readable images, by path.
        problems: Problems, one line each.
    """

    key: str
    roots: Roots
    paths: list[str] = field(default_factory=list)
    facts: dict[str, ImageFacts] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def sizes(self) -> str:
        """Smallest and largest width x height, by area."""
        shapes = sorted({fact.shape[:2] for fact in self.facts.values()}, key=lambda s: s[0] * s[1])
        ends = dict.fromkeys(f"{w}x{h}" for h, w in (shapes[:1] + shapes[-1:]))
        return " to ".join(ends) or "-"

    def channels(self) -> str:
        """Number of images by channels and bits."""
        counts = Counter((fact.shape[2], fact.bits) for fact in self.facts.values())
        names = {1: "gray", 2: "gray+alpha", 3: "RGB", 4: "RGB+alpha"}
        kinds = [f"{names[c]} {bits} bit" for c, bits in sorted(counts)]
        if len(counts) > 1:
            kinds = [
                f"{kind} ({n})" for kind, (_, n) in zip(kinds, sorted(counts.items()), strict=True)
            ]
        return ", ".join(kinds) or "-"


class LeakSearch:
    """Test images are shown first, then training images, of which only leaks are kept."""

    def __init__(self) -> None:
        self.leaks: list[str] = []
        self._shown: list[tuple[str, Fingerprint]] = []
        self._gallery: Gallery | None = None

    def show(self, path: str, print_: Fingerprint) -> None:
        """Add a test image."""
        self._shown.append((path, print_))

    def search(self, path: str, print_: Fingerprint) -> None:
        """Note whether a training image shows a test image, or a part of one."""
        if self._gallery is None:
            self._gallery = Gallery([print_ for _, print_ in self._shown])
        for match in self._gallery.find(print_):
            how = f"{match.bits} of 64 bits differ"
            if match.windows:
                how = f"{match.windows} windows agree, its corner is at {match.offset}"
            self.leaks.append(f"{path} shows {self._shown[match.image][0]} ({how})")


def check_block(
    name: str,
    block: Mapping[str, Any],
    classes: Mapping[str, type],
    scale: int,
    workers: int,
    *,
    notice: Notice | None,
    report: Report,
) -> list[RootReport]:
    """Read every image of one data set, and pair inputs with targets.

    Args:
        name: Name of the block: `train`, `val_Set5`.
        block: Options of the block.
        classes: Our data set classes by name; others are paired as BasicSR's `PairedImageDataset`.
        scale: Target pixels per input pixel.
        workers: Number of processes.
        notice: Function that gets the fingerprints of targets; None if leaks are not looked for.
        report: Function that is told about the progress.
    """
    reports = []
    for key, value in block.items():
        if not key.startswith("dataroot") or value is None:
            continue
        roots = (value,) if isinstance(value, str) else tuple(value)
        root = RootReport(f"{name}:{key}", roots)
        reports.append(root)
        try:
            source = _source(roots)
        except (UserError, OSError) as error:
            root.problems.append(str(error))
            continue
        root.paths = [source.path(index) for index in range(len(source))]
        _read(root, workers, notice if key == TARGETS else None, report)
    keys = [root.key.split(":")[1] for root in reports]
    inputs = _input_roots(block, classes, keys)
    if inputs and all(root.paths for root in reports):
        _check_pairs(reports, block, classes, inputs, scale)
    return reports


def _read(root: RootReport, workers: int, notice: Notice | None, report: Report) -> None:
    jobs = (
        (root.roots, tuple(range(start, min(start + _BATCH, len(root.paths)))), notice is not None)
        for start in range(0, len(root.paths), _BATCH)
    )
    done = 0
    processes = min(workers, -(-len(root.paths) // _BATCH))
    for (_, indices, _), results in run_jobs(_look, jobs, processes):
        if isinstance(results, Exception):
            root.problems.append(str(results))
            continue
        for index, (facts, print_) in zip(indices, results, strict=True):
            if isinstance(facts, str):
                root.problems.append(facts)
                continue
            root.facts[root.paths[index]] = facts
            if notice is not None and print_ is not None:
                notice(root.paths[index], print_)
        done += len(indices)
        report(f"{root.key}: {done} of {len(root.paths)} images")


def _look(
    job: tuple[Roots, tuple[int, ...], bool],
) -> list[tuple[ImageFacts, Fingerprint | None] | tuple[str, None]]:
    """Facts and fingerprints of some images, or why one cannot be read."""
    roots, indices, with_prints = job
    source = _source(roots)
    results: list[tuple[ImageFacts, Fingerprint | None] | tuple[str, None]] = []
    for index in indices:
        try:
            pixels = source.read(index)
        except (UserError, OSError) as error:
            results.append((str(error), None))
            continue
        height, width, channels = pixels.shape
        facts = ImageFacts((height, width, channels), 8 * pixels.dtype.itemsize)
        results.append((facts, fingerprint(pixels) if with_prints else None))
    return results


@cache
def _source(roots: Roots) -> ImageSource:
    return open_source([str(Path(root).expanduser()) for root in roots])


def _input_roots(
    block: Mapping[str, Any], classes: Mapping[str, type], keys: Sequence[str]
) -> tuple[str, ...]:
    declared = getattr(classes.get(block.get("type", "")), "INPUT_ROOTS", None)
    if declared is None:
        declared = tuple(key for key in keys if key != TARGETS)
    return tuple(declared) if TARGETS in keys and set(declared) <= set(keys) else ()


def _check_pairs(
    reports: Sequence[RootReport],
    block: Mapping[str, Any],
    classes: Mapping[str, type],
    inputs: Sequence[str],
    scale: int,
) -> None:
    first = next(root for root in reports if root.key.endswith(inputs[0]))
    cls = classes.get(block.get("type", ""))
    try:
        if cls is None:
            given = {key: value for key, value in block.items() if value is not None}
            options = {**_PAIRING_DEFAULTS, **given}
        else:
            options = read_options(cls.OPTIONS, block)  # type: ignore[attr-defined]
        pairs = build_pair_index(options, inputs)
    except (UserError, OSError) as error:
        first.problems.append(str(error))
        return
    facts = {path: fact for root in reports for path, fact in root.facts.items()}
    first.problems += _misfits(pairs, facts, scale)


def _misfits(pairs: PairIndex, facts: Mapping[str, ImageFacts], scale: int) -> Iterator[str]:
    for item in range(len(pairs)):
        *inputs, target = pairs.paths(item)
        if target not in facts or any(path not in facts for path in inputs):
            continue
        large = facts[target]
        for path in inputs:
            small = facts[path]
            rest = [g - i * scale for g, i in zip(large.shape, small.shape[:2], strict=False)]
            if not all(0 <= pixels < scale for pixels in rest):
                sizes = f"{_size(small)} and {_size(large)}"
                yield f"{path} does not fit {target}: {sizes}, scale {scale}"
            if small.shape[2] != large.shape[2] or small.bits != large.bits:
                yield f"{path} does not fit {target}: {_kind(small)} and {_kind(large)}"


def _size(fact: ImageFacts) -> str:
    return f"{fact.shape[1]}x{fact.shape[0]}"


def _kind(fact: ImageFacts) -> str:
    return f"{fact.shape[2]} channels of {fact.bits} bits"
