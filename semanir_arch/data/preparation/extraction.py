"""Many groups of images cut into patches: in parallel, continued where it was interrupted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from semanir_arch.data.preparation.parallel_jobs import Progress, run_jobs
from semanir_arch.data.preparation.patch_manifest import PatchManifest
from semanir_arch.data.preparation.patches import (
    Group,
    Record,
    View,
    cut_to_files,
    cut_to_values,
    patch_path,
)
from semanir_arch.data.sources.lmdb_store import LmdbWriter
from semanir_arch.utils.errors import InputError
from semanir_arch.utils.same_names import folded


def extract(
    groups: Sequence[Group], manifest: PatchManifest, workers: int, lmdb: str | None = None
) -> list[str]:
    """Cut all groups that are not done, and record them.

    Args:
        groups: Groups of images to cut.
        manifest: Record of the patches.
        workers: Number of processes.
        lmdb: `raw` or `png` for outputs that are LMDBs; None for folders of PNG files.

    Returns:
        One message for each group that failed.

    Raises:
        OSError: A patch cannot be written.
        ValueError: An image changed since it was cut.
    """
    if lmdb is None:
        pending = [group for group in groups if not manifest.is_done(group, _is_file)]
        manifest.write()
        return _record(_results(pending, workers), groups, manifest)
    outputs = {view.output for group in groups for view in group.views}
    with _writers(outputs, raw=lmdb == "raw") as writers:
        pending = [
            group
            for group in groups
            if not manifest.is_done(group, lambda output, name: name in writers[output])
        ]
        manifest.write()
        return _record(_stored(pending, workers, writers, lmdb == "raw"), groups, manifest)


def check_names(groups: Sequence[Group]) -> None:
    """Compare the names of patches before any is cut.

    Raises:
        ValueError: Patches of two images could have the same name, for some file system at least.
    """
    views = [(group, view) for group in groups for view in group.views]
    stems: dict[str, View] = {}
    for _, view in views:
        twin = stems.setdefault(folded(str(view.output / view.stem)), view)
        if twin is not view:
            raise InputError(_clash(twin, view))
    for group, view in views:
        if group.tiling.max_whole and "{" in group.numbering:
            # one that is kept whole, with the name of a patch
            number = re.sub(r"\{.*\}", r"[0-9]+", group.numbering)
            other, count = re.subn(rf"{number}$", "", view.stem)
            twin = stems.get(folded(str(view.output / other)), view) if count else view
            if twin is not view:
                raise InputError(_clash(twin, view))


def _clash(one: View, other: View) -> str:
    reason = "differ only in their suffix"
    if one.stem != other.stem:
        reason = "could give patches of the same name; upper and lower case are one on some systems"
    elif one.source.with_suffix("") != other.source.with_suffix(""):
        reason = "would give patches of the same name"
    return f"{one.source} and {other.source} {reason}; rename one of them"


def _results(groups: Sequence[Group], workers: int) -> Iterator[tuple[Group, Record | Exception]]:
    yield from run_jobs(cut_to_files, groups, _processes(workers, groups))


def _stored(
    groups: Sequence[Group], workers: int, writers: dict[Path, LmdbWriter], raw: bool
) -> Iterator[tuple[Group, Record | Exception]]:
    jobs = run_jobs(partial(cut_to_values, raw=raw), groups, _processes(workers, groups))
    for group, result in jobs:
        if isinstance(result, Exception):
            yield group, result
            continue
        record, values = result
        for (output, name), value in zip(group.names(record), values, strict=True):
            if name not in writers[output]:
                writers[output].put(name, value)
        yield group, record


def _record(
    results: Iterable[tuple[Group, Record | Exception]],
    groups: Sequence[Group],
    manifest: PatchManifest,
) -> list[str]:
    problems: list[str] = []
    progress = Progress()
    try:
        for group, result in results:
            if isinstance(result, Exception):
                problems.append(str(result))
            else:
                manifest.add(group.name, result)
            progress(f"{len(manifest.images)} of {len(groups)} images")
    finally:
        manifest.write()
    return problems + list(_replaced(groups, manifest))


def _replaced(groups: Sequence[Group], manifest: PatchManifest) -> Iterator[str]:
    """Images kept whole under the name of a patch of another image: only one of both is there."""
    by_stem = {view.stem: group for group in groups for view in group.views[:1]}
    for stem, group in by_stem.items():
        before, _, after = re.escape(group.numbering).partition(r"\{number")
        if not after or not manifest.images.get(group.name, {}).get("whole"):
            continue
        # of `-{number:04d}`, what follows the digits
        match = re.fullmatch(f"(.*){before}([0-9]+){after.partition('}')[2]}", stem)
        other = by_stem.get(match[1]) if match else None
        record = manifest.images.get(other.name, {}) if other else {}
        if other and match and not record.get("whole"):
            number = int(match[2]) - other.first
            if 0 <= number < record.get("patches", 0):
                yield (
                    f"{group.source} is kept whole under the name of a patch of {other.source}: "
                    "one of them would be lost; rename one"
                )


@contextmanager
def _writers(outputs: Iterable[Path], raw: bool) -> Iterator[dict[Path, LmdbWriter]]:
    with ExitStack() as stack:
        yield {
            output: stack.enter_context(LmdbWriter(output, raw=raw)) for output in sorted(outputs)
        }


def _is_file(output: Path, name: str) -> bool:
    return patch_path(output, name).is_file()


def _processes(workers: int, groups: Sequence[Group]) -> int:
    return min(workers, max(1, len(groups)))
