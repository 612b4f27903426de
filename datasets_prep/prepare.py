"""Lay downloaded archives of a data set out into the folders that the option files name.

    python datasets_prep/prepare.py --list
    python datasets_prep/prepare.py GoPro
    python datasets_prep/prepare.py GoPro --archive GoPro_train.zip GoPro_test.zip --root datasets

Without `--archive`, it says what to fetch, from where, on which terms, and what is there already.
Sizes and checksums are compared where a source states them (`datasets.yml`), numbers of files
always. A folder appears when its part is complete; the same command continues after an
interruption, and does nothing where there is nothing to do. Archives may be zip, tar, tar.gz (bz2,
xz), single files, or folders that you unpacked yourself.

Exit code 1: something is missing; 2: an archive was refused, or the command is wrong.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from semanir_arch.data.preparation import layout
from semanir_arch.data.preparation.dataset_facts import DataSet, load_catalogue
from semanir_arch.data.preparation.parallel_jobs import Progress, run_script, say
from semanir_arch.utils.errors import InputError
from semanir_arch.utils.suggestions import did_you_mean

CATALOGUE = Path(__file__).with_name("datasets.yml")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_script(partial(_run, _parse(argv)))


def _run(arguments: argparse.Namespace) -> list[str]:
    """Show the table, show one data set, or lay it out; returns what is missing."""
    catalogue = load_catalogue(CATALOGUE)
    if arguments.list:
        say(_table(catalogue, arguments.root))
        return []
    data_set = _find(catalogue, arguments.name)
    if not arguments.archive:
        say(_description(data_set, arguments.root))
        return []
    return _prepare(data_set, arguments.archive, arguments.root)


def _prepare(data_set: DataSet, archives: Sequence[Path], root: Path) -> list[str]:
    progress = Progress()
    if not _is_complete(data_set, root):
        for archive in archives:
            say(layout.verify(archive, data_set, progress))
            if layout.unpack(archive, data_set, root, progress) == 0:
                raise InputError(f"{archive}: holds nothing that belongs to {data_set.name}")
    problems = layout.finish(data_set, root)
    say(_progress_table(data_set, root))
    return problems


def _is_complete(data_set: DataSet, root: Path) -> bool:
    parts = layout.states(data_set, root).values()
    return all(state.is_complete for part in parts for state in part)


def _find(catalogue: dict[str, DataSet], name: str | None) -> DataSet:
    if name is None:
        raise InputError("name a data set, or use --list")
    if name not in catalogue:
        hint = did_you_mean(name, catalogue, cutoff=0.4) or "; --list shows all"
        raise InputError(f"{name}: no such data set{hint}")
    return catalogue[name]


def _table(catalogue: dict[str, DataSet], root: Path) -> str:
    rows = [("data set", "tasks", "parts")]
    for data_set in catalogue.values():
        parts = [
            f"{name} ({_summary(part)})" for name, part in layout.states(data_set, root).items()
        ]
        rows.append((data_set.name, ", ".join(data_set.tasks), ", ".join(parts)))
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return "\n".join(
        f"{name:<{widths[0]}}  {tasks:<{widths[1]}}  {parts}" for name, tasks, parts in rows
    )


def _summary(part: Sequence[layout.State]) -> str:
    if all(state.is_complete for state in part):
        return "there"
    return "unfinished" if any(state.found for state in part) else "absent"


def _description(data_set: DataSet, root: Path) -> str:
    lines = [
        f"{data_set.name}: {', '.join(data_set.tasks)}",
        f"page:    {data_set.page}",
        f"licence: {data_set.licence}",
        f"serves:  {data_set.serves}",
        "archives:",
    ]
    for archive in data_set.archives:
        size = "size unknown" if archive.size is None else f"{archive.size:,} bytes"
        checksum = "no checksum known" if archive.checksum is None else " ".join(archive.checksum)
        lines.append(f"  {archive.name}  {size}, {checksum}")
        lines += [f"      {archive.note}"] * bool(archive.note)
    return "\n".join([*lines, f"folders below {root}:", _progress_table(data_set, root)])


def _progress_table(data_set: DataSet, root: Path) -> str:
    lines = []
    for part in layout.states(data_set, root).values():
        for state in part:
            waiting = "" if state.is_final or not state.found else f" (in {layout.STAGING}/)"
            lines.append(f"  {state.folder.path}: {state.found} of {state.folder.files}{waiting}")
    return "\n".join(lines)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Unpack a data set's archives into the folders that the option files expect. "
        "Run again to continue."
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="data set; --list shows all")
    parser.add_argument(
        "--archive", nargs="+", default=[], type=Path, metavar="FILE", help="archives or folders"
    )
    parser.add_argument("--root", type=Path, default=Path("datasets"), help="default: datasets")
    parser.add_argument("--list", action="store_true", help="all data sets and their state")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
