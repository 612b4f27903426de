"""One command of test.py from checked options to scores: folder, logs, data, models."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader
from tqdm.contrib.logging import logging_redirect_tqdm  # type: ignore[import-untyped]

from semanir_arch import host
from semanir_arch.evaluation.cache_key import make_cache_key
from semanir_arch.evaluation.records import read_records
from semanir_arch.evaluation.score_cache import ScoreCache, Set
from semanir_arch.ops.backend import choose_freely
from semanir_arch.report.measurement import Measurement, Subject, measured_level, measured_task
from semanir_arch.runs.arithmetic import Arithmetic, agree
from semanir_arch.runs.building import build_loader, build_model
from semanir_arch.runs.result_names import check_item_names
from semanir_arch.runs.sweep import Sweep, SweepPoint
from semanir_arch.utils import processes
from semanir_arch.utils.atomic import write_text
from semanir_arch.utils.folder_lock import FolderLock

__all__ = ["Testing"]

_LOGGER = logging.getLogger("basicsr")

_BEGUN = ".begun.json"
"""Cache keys of what a test measures, from its begin to its end: a test that was killed before its
first record is known by it."""

_EXAMPLES, _FEWEST_EXAMPLES = 120, 1
"""Images kept for the page in all, and of one set under one setting at least."""


class Testing:
    """All tests of one command.

    Args:
        sweep: Sweep to be tested.
        root: Folder in which results/ is.
        fresh: Whether to start over where an earlier run was interrupted.

    Attributes:
        rank: Number of this process, once `test` runs.
        arithmetic: Arithmetic that the test computes with, once `test` runs.
    """

    def __init__(self, sweep: Sweep, root: Path, fresh: bool = False) -> None:
        self.sweep = sweep
        self.root = root
        self.fresh = fresh
        self.rank = 0
        self.arithmetic = Arithmetic("cpu")

    @property
    def folder(self) -> Path:
        """Folder of all results."""
        return self.root / "results" / self.sweep.name

    def test(self) -> list[Measurement]:
        """Run the tests.

        Returns:
            Scores of every data set under every setting; none of models that keep none, which log
            their means.

        Raises:
            ValueError: Something that the options name cannot be used.
            FileNotFoundError: A file is missing.
        """
        with ExitStack() as stack:
            options = stack.enter_context(self.sweep.points[0].run.opened(is_train=False))
            stack.callback(choose_freely)
            self.arithmetic = agree(options)
            sets = [self._make_keys(point) for point in self.sweep.points]
            stack.enter_context(self._prepared(sets))
            torch.backends.cudnn.benchmark = True
            self.rank = processes.rank()
            measurements: list[Measurement] = []
            with closing(ScoreCache(self.folder, len(sets), self._count_examples(sets))) as cache:
                for number, point in enumerate(self.sweep.points):
                    parsed = point.run.parse(is_train=False) if number else options
                    measurements += self._run(point, parsed, sets[number], cache)
            if self.rank == 0:
                (self.folder / _BEGUN).unlink(missing_ok=True)
            return measurements

    def _make_keys(self, point: SweepPoint) -> dict[str, Set]:
        """Sets to measure under one setting, by the name of the data set."""
        options = point.run.options
        digest = point.weights.sha256 if point.weights else None
        return {
            block["name"]: Set(
                block["name"],
                point.label,
                point.folder,
                make_cache_key(options, block, digest, self.arithmetic.backends),
            )
            for block in options["datasets"].values()
        }

    def _count_examples(self, sets: Sequence[dict[str, Set]]) -> int:
        return max(_FEWEST_EXAMPLES, _EXAMPLES // sum(map(len, sets)))

    @contextmanager
    def _prepared(self, sets: Sequence[dict[str, Set]]) -> Generator[None, None, None]:
        """Lock the folder, move results of something else aside, open the log."""
        with ExitStack() as stack:
            obstacle = None
            if processes.rank() == 0:
                lock = FolderLock(self.folder)
                stack.callback(lock.release)
                obstacle = self._find_obstacle(sets)
                if obstacle is not None:
                    lock.start_afresh()
                write_text(self.folder / _BEGUN, json.dumps(_keys(sets)) + "\n")
                (self.folder / "visualization").mkdir(exist_ok=True)
            processes.wait_for_all()
            self.folder.mkdir(parents=True, exist_ok=True)
            name = f"test_{self.sweep.name}_{time.strftime('%Y%m%d_%H%M%S')}.log"
            file = str(self.folder / name)
            host.load("basicsr.utils").get_root_logger("basicsr", logging.INFO, file)
            _LOGGER.info("%s\nOptions: %s", host.describe_versions(), self.sweep.points[0].run.file)
            self.arithmetic.write_to(_LOGGER)
            if obstacle:
                _LOGGER.info("Older results were renamed, because %s", obstacle)
            stack.enter_context(logging_redirect_tqdm([_LOGGER]))
            yield

    def _find_obstacle(self, sets: Sequence[dict[str, Set]]) -> str | None:
        """Why the results in the folder cannot be continued; None where they can.

        The text is empty where that needs no explanation.
        """
        ours = _keys(sets)
        found = {record.label: record.key for record in read_records(self.folder)}
        shared = sorted(ours.keys() & found.keys())
        if self.fresh:
            return ""
        if not shared:
            return None if _read_begun(self.folder) == ours else ""
        other = [title for title in shared if ours[title] != found[title]]
        if other:
            return f"weights, options, data, code or attention backends of {other[0]} have changed"
        return None

    def _run(
        self, point: SweepPoint, options: dict[str, Any], sets: dict[str, Set], cache: ScoreCache
    ) -> list[Measurement]:
        """Test one network on all sets."""
        options["path"] |= {
            "results_root": str(self.folder),
            "log": str(self.folder),
            "visualization": str(self.folder / "visualization" / point.folder),
        }
        if point.label:
            _LOGGER.info("Setting: %s", point.label)
        loaders = _build_loaders(options)
        counts = [len(loader.dataset) for loader in loaders]  # type: ignore[arg-type]
        save_img = bool(options["val"].get("save_img", False))
        cache.begin(sets, sum(counts), save_img)
        model = build_model(options)
        datasets = {loader.dataset.opt["name"]: loader.dataset for loader in loaders}  # type: ignore[attr-defined]
        check_item_names(datasets, options, model)
        subject = _describe(model, point, options)
        if subject.warning:
            _LOGGER.warning("%s", f"{point.label} {subject.warning}".strip())
        if hasattr(model, "keeper"):
            model.keeper = cache
        for loader in loaders:
            model.validation(
                loader, current_iter=options["name"], tb_logger=None, save_img=save_img
            )
        return _collect(model, point, options, datasets, sets, cache, subject)


def _keys(sets: Sequence[dict[str, Set]]) -> dict[str, str]:
    """Cache keys of everything that is measured."""
    return {one.title: one.key for named in sets for one in named.values()}


def _read_begun(folder: Path) -> Any:
    """Read what an unfinished test was to measure; None if there is none."""
    try:
        return json.loads((folder / _BEGUN).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def _build_loaders(options: dict[str, Any]) -> list[DataLoader[Any]]:
    """One loader per data set, one image per batch."""
    loaders = []
    for phase, block in options["datasets"].items():
        loaders.append(loader := build_loader(phase, block))
        images = len(loader.dataset)  # type: ignore[arg-type]
        _LOGGER.info("Number of test images in %s: %d", block["name"], images)
    return loaders


def _collect(
    model: Any,
    point: SweepPoint,
    options: dict[str, Any],
    datasets: dict[str, Any],
    sets: dict[str, Set],
    cache: ScoreCache,
    subject: Subject,
) -> list[Measurement]:
    """Collect what a model has measured, with everything that identifies it."""
    blocks = {block["name"]: block for block in options["datasets"].values()}
    measurements = []
    # Models of BasicSR keep no scores.
    for name, evaluation in getattr(model, "evaluations", {}).items():
        task = measured_task(evaluation.protocol, datasets[name])
        measurements.append(
            Measurement(
                evaluation=evaluation,
                subject=subject,
                setting=point.setting,
                task=task,
                level=measured_level(task, blocks[name], options.get("scale", 1)),
                reused=cache.reused[sets[name].key],
                examples=cache.find_examples(sets[name], len(evaluation.rows)),
            )
        )
    return measurements


def _describe(model: Any, point: SweepPoint, options: dict[str, Any]) -> Subject:
    network = model.get_bare_model(model.net_g)
    val, weights = options["val"], point.weights
    loaded, count = getattr(model, "loaded", (0, 0))
    return Subject(
        network=getattr(network, "name", type(network).__name__),
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        weights=weights.path if weights else None,
        sha256=weights.sha256 if weights else None,
        layout=weights.layout if weights else None,
        k=val.get("k") or getattr(network, "k", None),
        ensemble=bool(val.get("ensemble", False)),
        tile=val.get("tile"),
        fresh=(count - loaded, count),
    )
