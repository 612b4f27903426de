"""All files of one call of `semanir-restore`, in one process or shared by several."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2

from semanir_arch.restoring.chain import AUTO, Chain, Chooser, split_tasks
from semanir_arch.restoring.compare_page import write_compare_page
from semanir_arch.restoring.failing import complain_of, speaks_for_itself
from semanir_arch.restoring.files import Outcome, Settings, count_pixels, restore_file
from semanir_arch.restoring.jobs import Job, JobList, list_jobs
from semanir_arch.restoring.reporter import Reporter, one_line
from semanir_arch.restoring.restorer import Restorer
from semanir_arch.utils import processes
from semanir_arch.utils.errors import UserError

__all__ = ["open_network", "open_restorer", "restore_all"]

ALL_RESTORED, SOME_FAILED, NOTHING_POSSIBLE = 0, 1, 2


def restore_all(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Restore everything that the arguments name.

    Args:
        arguments: Result of `parse_arguments`.
        environment: Variables of the process; torchrun's say that it is one of several.

    Returns:
        The exit code, the same in all processes.
    """
    # its warnings would stand between our messages
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    if processes.started_by_torchrun(environment):
        try:
            processes.join(environment, uses_gpu=not arguments.device.startswith("cpu"))
        except UserError as error:
            Reporter(total=0).complain(one_line(error))
            return NOTHING_POSSIBLE
    try:
        return _restore_shared(arguments)
    except RuntimeError as error:
        if not processes.lost_connection(error):
            raise
        Reporter(total=0).complain("another process of this run has ended; stopped")
        return SOME_FAILED
    finally:
        processes.leave()


def open_restorer(
    arguments: argparse.Namespace, weights: Path | None, task: str | None
) -> Restorer:
    """A network, used as the arguments say.

    Args:
        arguments: Result of `parse_arguments`.
        weights: File of the weights; None for those shipped for the task.
        task: Task; None for the one in the file.

    Raises:
        OSError, ValueError: See `Restorer`.
    """
    return Restorer(
        weights,
        arguments.device,
        arguments.precision,
        arguments.k,
        tile=arguments.tile,
        overlap=arguments.overlap,
        task=task,
        ensemble=arguments.ensemble,
        margin=arguments.margin,
    )


def _restore_shared(arguments: argparse.Namespace) -> int:
    first = processes.rank() == 0
    # one list for all: a folder may change while they start
    job_list = processes.broadcast(_list_jobs(arguments) if first else JobList())
    reporter = Reporter(total=0)
    if first:
        for problem in job_list.problems:
            reporter.complain(problem)
    if not job_list.jobs:
        if first and job_list.note:
            reporter.complain(f"note: {job_list.note}")
        return NOTHING_POSSIBLE
    network, error = _try_to_open(arguments)
    # some processes may lack memory or a device
    errors = dict.fromkeys(text for text in processes.gather(error) if text)
    if errors or network is None:
        for text in errors if first else ():
            reporter.complain(text)
        return NOTHING_POSSIBLE
    restored = _restore_jobs(job_list, network, arguments)
    done = [job for part in processes.gather(restored) for job in part]
    failed = len(job_list.problems) + len(job_list.jobs) - len(done)
    if first and arguments.compare and done:
        failed += not _write_page(arguments, sorted(done, key=lambda job: job.number), reporter)
    if first and job_list.note:
        reporter.complain(f"note: {job_list.note}")
    return SOME_FAILED if processes.broadcast(failed) else ALL_RESTORED


def _list_jobs(arguments: argparse.Namespace) -> JobList:
    suffix = None if arguments.format is None else f".{arguments.format}"
    return list_jobs(arguments.input, arguments.output, suffix)


def open_network(arguments: argparse.Namespace) -> Chain | Chooser:
    """The network or networks that the arguments name, or what chooses them.

    Raises:
        OSError, ValueError: See `Restorer`; or an argument means nothing for them.
    """
    tasks = [] if arguments.task is None else split_tasks(arguments.task)
    if tasks == [AUTO] or (not tasks and arguments.weights is None):
        return Chooser(partial(open_restorer, arguments, None), force=arguments.force)
    if arguments.weights is not None:
        restorers = [open_restorer(arguments, arguments.weights, tasks[0] if tasks else None)]
    else:
        restorers = [open_restorer(arguments, None, task) for task in tasks]
    chain = Chain(restorers)
    chain.check_arguments(arguments.sigma, arguments.quality, arguments.bayer)
    return chain


def _try_to_open(arguments: argparse.Namespace) -> tuple[Chain | Chooser | None, str]:
    """The network, or why there is none."""
    try:
        network = open_network(arguments)
    except Exception as error:
        if not speaks_for_itself(error):
            raise
        return None, one_line(error)
    return network, ""


def _restore_jobs(
    job_list: JobList, network: Chain | Chooser, arguments: argparse.Namespace
) -> list[Job]:
    """Restore this process's part; returns what succeeded."""
    settings = Settings(
        compare=arguments.compare,
        overwrite=arguments.overwrite,
        depth=arguments.depth,
        save_quality=arguments.save_quality,
        sigma=arguments.sigma,
        quality=arguments.quality,
        bayer=arguments.bayer,
        strength=arguments.strength,
    )
    jobs = job_list.share(processes.rank(), processes.world_size())
    live = sys.stderr.isatty() and processes.rank() == 0
    work = {job: count_pixels(job.source) if live else 0 for job in jobs}
    reporter = Reporter(sum(work.values()))
    done: list[Job] = []
    warned: set[str] = set()
    try:
        for job in jobs:
            reporter.begin(job.source.name, work[job])
            number = f"[{job.number}/{len(job_list.jobs)}]"
            outcome = _restore_job(job, number, network, settings, reporter)
            if outcome is not None:
                done.append(replace(job, label=outcome.label))
                _warn(set(outcome.demonstrations) - warned, reporter)
                warned.update(outcome.demonstrations)
    finally:
        reporter.close()
    return done


def _restore_job(
    job: Job, number: str, network: Chain | Chooser, settings: Settings, reporter: Reporter
) -> Outcome | None:
    """Restore one file and report it; None if that failed."""
    start = time.perf_counter()
    try:
        outcome = restore_file(job, network, settings, reporter.advance)
    except Exception as error:
        if processes.lost_connection(error):
            raise
        complain_of(job.source, error, reporter)
        return None
    seconds = time.perf_counter() - start
    reporter.finish()
    facts = [f"{outcome.width} x {outcome.height} pixels", f"{seconds:.1f} s", *outcome.precisions]
    reporter.say(f"{number} {job.source} -> {job.target} ({', '.join(facts)})")
    for line in outcome.said:
        reporter.say(f"{' ' * len(number)} {line}")
    if settings.compare:
        reporter.say(f"{' ' * len(number)} before and after: {job.picture}")
    for note in outcome.notes:
        reporter.complain(f"note: {job.source} {note}")
    return outcome


def _warn(demonstrations: Iterable[str], reporter: Reporter) -> None:
    """Say what a network was made for, once each."""
    for task in sorted(demonstrations):
        reporter.complain(
            f"note: {task} is a demonstration, trained only on artificial damage; it can make "
            "real photos worse: look at the result before you keep it"
        )


def _write_page(arguments: argparse.Namespace, done: list[Job], reporter: Reporter) -> bool:
    """Write the page of all comparisons; False if that failed."""
    folder = done[0].target.parent if arguments.output == done[0].target else arguments.output
    path = folder / "compare.html"
    try:
        write_compare_page(path, done, overwrite=arguments.overwrite)
    except Exception as error:
        if not speaks_for_itself(error):
            raise
        complain_of(path, error, reporter)
        return False
    reporter.say(f"compare all in a browser: {path}")
    return True
