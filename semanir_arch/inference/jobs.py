"""Which files a call of `semanir-restore` reads, and where each result goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from semanir_arch.data.image_io import scan_images
from semanir_arch.data.scanning import IMAGE_SUFFIXES

__all__ = ["Job", "Plan", "make_plan"]


@dataclass(frozen=True)
class Job:
    """One image to restore.

    Attributes:
        source: The file to read.
        target: The file to write.
    """

    source: Path
    target: Path

    @property
    def picture(self) -> Path:
        """Where the before/after picture goes: beside the target."""
        return self.target.with_name(f"{self.target.stem}_compare.png")


@dataclass
class Plan:
    """What can be done, and one message for each input for which nothing can.

    Attributes:
        jobs: In the order of the inputs; images of a folder in natural order.
        problems: Messages that name the file.
    """

    jobs: list[Job] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def make_plan(inputs: Sequence[Path], output: Path) -> Plan:
    """Give every image its own target; nothing is read or written yet.

    A folder is searched with its sub-folders, which reappear below `output`; what lies in `output`
    itself is not searched. Results keep the names of the inputs; a format that cannot be written
    becomes PNG.

    Args:
        inputs: Images and folders.
        output: A folder, or, for one image, a file with the suffix of an image.
    """
    plan = Plan()
    if len(inputs) == 1 and inputs[0].is_file() and _is_image_name(output) and not output.is_dir():
        found = [Job(inputs[0], output)]
    else:
        found = [job for path in inputs for job in _jobs_of(path, output, plan.problems)]
    sources = {job.source.resolve() for job in found}
    taken: dict[Path, Path] = {}
    for job in found:
        target = job.target.resolve()
        if target in sources:
            plan.problems.append(f"{job.source}: the result would overwrite an input, {job.target}")
        elif target in taken:
            plan.problems.append(
                f"{job.source}: its result would replace that of {taken[target]}, {job.target}"
            )
        else:
            taken[target] = job.source
            plan.jobs.append(job)
    return plan


def _jobs_of(path: Path, output: Path, problems: list[str]) -> list[Job]:
    if path.is_file():
        return [Job(path, output / _result_name(Path(path.name)))]
    try:
        images = scan_images(path)
    except (FileNotFoundError, ValueError) as error:
        problems.append(str(error))
        return []
    # results of an earlier call, where the output lies inside the input
    inside = path.resolve() in output.resolve().parents
    return [
        Job(image, output / _result_name(image.relative_to(path)))
        for image in images
        if not (inside and output.resolve() in image.resolve().parents)
    ]


def _result_name(path: Path) -> Path:
    return path if _is_image_name(path) else path.with_suffix(".png")


def _is_image_name(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES
