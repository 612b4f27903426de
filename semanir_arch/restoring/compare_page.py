"""The page of `semanir-restore --compare`: all files of a call, before and after."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

from semanir_arch.report.page import Page, PagePicture, write_page
from semanir_arch.restoring.jobs import Job
from semanir_arch.utils.errors import ExistingFileError

__all__ = ["write_compare_page"]


def write_compare_page(path: Path, jobs: Sequence[Job], *, overwrite: bool = False) -> None:
    """Write one HTML file that shows every original beside its result.

    Args:
        path: The page.
        jobs: Jobs that were restored.
        overwrite: Whether to replace a page that is there.

    Raises:
        FileExistsError: There is one, and `overwrite` is false.
        OSError, ValueError: A picture cannot be read, or the page not be written.
    """
    if path.exists() and not overwrite:
        raise ExistingFileError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    labels = list(dict.fromkeys(job.label for job in jobs if job.label))
    # what holds for all of them stands above them
    several = len(labels) > 1
    pictures = [
        PagePicture(
            name=f"{job.target.name}: {job.label}" if job.label and several else job.target.name,
            dataset=str(job.target.parent),
            before=job.source,
            after=job.target,
        )
        for job in jobs
    ]
    facts = {} if several or not labels else {"Made by": labels[0]}
    write_page(path, Page(title="Before and after", facts=facts, pictures=pictures))
