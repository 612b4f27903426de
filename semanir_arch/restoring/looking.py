"""What `--diagnose` prints, and what `--try` shows: a part of each picture under every task."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from semanir_arch.data.files.image_io import load_image, write_image
from semanir_arch.report.page import Page, PagePicture, write_page
from semanir_arch.restoring.batch import open_restorer
from semanir_arch.restoring.chain import Chooser
from semanir_arch.restoring.comparison_picture import side_by_side
from semanir_arch.restoring.diagnosis import choose, diagnose, diagnose_file
from semanir_arch.restoring.failing import complain_of, speaks_for_itself
from semanir_arch.restoring.jobs import Job, list_jobs
from semanir_arch.restoring.reporter import Reporter
from semanir_arch.tasks import TASKS
from semanir_arch.utils.errors import InputError
from semanir_arch.weights import available

__all__ = ["candidates", "diagnose_all", "interesting_part", "try_all"]

_DONE, _SOME_FAILED, _NOTHING = 0, 1, 2

_SIDE = 192
_IN_A_ROW = 4

_CHAINS = (("jpeg", "sr_x2"), ("denoise", "sr_x2"), ("photo", "sr_x2"))
_GRAY_CHAINS = (("jpeg_gray", "sr_x2"), ("denoise_gray", "sr_x2"))


def diagnose_all(arguments: argparse.Namespace, reporter: Reporter) -> int:
    """Print one line for each picture; write nothing.

    Returns:
        The exit code.
    """
    shipped = [one.task.name for one in available()]

    def look(job: Job) -> None:
        image = load_image(job.source)
        diagnosis = diagnose_file(image, job.source)
        choice = choose(diagnosis, shipped, force=arguments.force, judged=True)
        if arguments.json:
            facts = {"file": str(job.source), "tasks": choice.tasks, "findings": choice.findings}
            facts |= {"trial": choice.trial, "hints": choice.hints, **diagnosis.facts()}
            reporter.say(json.dumps(facts))
            return
        reporter.say(f"{job.source}: {choice.line}")
        for hint in choice.hints:
            reporter.say(f"  {hint}")

    return _each(arguments, reporter, look)


def try_all(arguments: argparse.Namespace, reporter: Reporter) -> int:
    """Write a contact sheet and a page for each picture.

    Returns:
        The exit code.
    """
    # keeps each network that was opened
    networks = Chooser(partial(open_restorer, arguments, None))

    def show(job: Job) -> None:
        sheet, page = (
            job.target.with_name(f"{job.target.stem}_try{suffix}") for suffix in (".png", ".html")
        )
        for path in (sheet, page):
            if path.exists() and not arguments.overwrite:
                raise InputError(f"{path} exists; --overwrite replaces it")
        image = load_image(job.source)
        part = interesting_part(image.color)
        results: dict[str, npt.NDArray[Any]] = {"input": part}
        choice = choose(diagnose_file(image, job.source), [one.task.name for one in available()])
        for tasks in candidates(part, choice.tasks, [one.task.name for one in available()]):
            chain = networks.chain(tasks)
            mark = " (chosen)" if tasks == choice.tasks else ""
            shown = " (demo)" if chain.demonstrations else mark
            results["+".join(tasks) + shown] = chain.restore(part, strength=arguments.strength)
        write_image(sheet, contact_sheet(results), overwrite=arguments.overwrite)
        pictures = [
            PagePicture(name=label, before=_as_large(part, result), after=result)
            for label, result in results.items()
        ]
        write_page(page, Page(title=f"{job.source.name} under every task", pictures=pictures))
        reporter.say(f"{job.source}: {choice.line}")
        reporter.say(f"  under every task: {sheet}, {page}")

    return _each(arguments, reporter, show)


def interesting_part(color: npt.NDArray[Any], side: int = _SIDE) -> npt.NDArray[Any]:
    """The part of a picture that shows most: where brightness varies most between blocks of it.

    Args:
        color: (H, W, 1) or (H, W, 3).
        side: Side of the part in pixels; smaller pictures are taken whole.
    """
    height, width = color.shape[:2]
    rows, columns = min(side, height), min(side, width)
    luma = color.astype(np.float32).mean(axis=2)
    best, place = -1.0, (0, 0)
    for top in {*range(0, height - rows + 1, max(8, rows // 2 // 8 * 8)), 0}:
        for left in {*range(0, width - columns + 1, max(8, columns // 2 // 8 * 8)), 0}:
            part = luma[top : top + rows, left : left + columns]
            detail = float(np.abs(np.diff(part, axis=0)).mean() + np.abs(np.diff(part)).mean())
            if detail > best:
                best, place = detail, (top, left)
    top, left = place
    return np.ascontiguousarray(color[top : top + rows, left : left + columns])


def contact_sheet(results: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.uint8]:
    """Labelled pictures in rows, RGB, all in twice the size of the first one."""
    height, width = (2 * side for side in next(iter(results.values())).shape[:2])
    panels = {label: _resized(image, height, width) for label, image in results.items()}
    labels = list(panels)
    rows = [
        side_by_side({label: panels[label] for label in labels[start : start + _IN_A_ROW]})
        for start in range(0, len(labels), _IN_A_ROW)
    ]
    width = max(row.shape[1] for row in rows)
    padded = [
        np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=255)
        for row in rows
    ]
    return np.concatenate(padded)


def _resized(image: npt.NDArray[Any], height: int, width: int) -> npt.NDArray[Any]:
    """Smaller pictures are enlarged without smoothing, larger ones reduced."""
    smaller = image.shape[0] < height
    how = cv2.INTER_NEAREST if smaller else cv2.INTER_AREA
    resized = cv2.resize(image, (width, height), interpolation=how)
    return np.asarray(resized).reshape(height, width, image.shape[2])


def candidates(
    part: npt.NDArray[Any], chosen: tuple[str, ...], shipped: Sequence[str]
) -> list[tuple[str, ...]]:
    """Tasks and chains that fit a picture's color and have networks; the chosen ones first.

    Args:
        part: Part of the picture, (H, W, 1) or (H, W, 3).
        chosen: Tasks that the diagnosis chose; may be empty.
        shipped: Tasks that have a network.
    """
    gray = diagnose(part, compressed=False).gray

    def fits(name: str) -> bool:
        if TASKS[name].channels == 1:
            return gray
        # of the networks for color, those that have none for gray beside them
        return name != "demosaic" and (not gray or name == "photo" or TASKS[name].scale > 1)

    single = [(name,) for name in shipped if fits(name)]
    chains = [
        chain
        for chain in (_GRAY_CHAINS if gray else _CHAINS)
        if all(name in shipped for name in chain)
    ]
    return list(dict.fromkeys([*([chosen] if chosen else []), *single, *chains]))


def _as_large(part: npt.NDArray[Any], result: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The input in the size of a result, without smoothing."""
    scale = result.shape[0] // part.shape[0]
    return part.repeat(scale, axis=0).repeat(scale, axis=1)


def _each(arguments: argparse.Namespace, reporter: Reporter, work: Any) -> int:
    """Do something with every picture that the arguments name; one message where it fails."""
    job_list = list_jobs(arguments.input, arguments.output or Path("/nowhere/at/all"), None)
    for problem in job_list.problems:
        reporter.complain(problem)
    failed = len(job_list.problems)
    for job in job_list.jobs:
        try:
            work(job)
        except Exception as error:
            if not speaks_for_itself(error):
                raise
            failed += 1
            complain_of(job.source, error, reporter)
    if not job_list.jobs:
        return _NOTHING
    return _SOME_FAILED if failed else _DONE
