"""One table of all option files: which network learns which task from what, and how it is measured.

A leaf begins with three lines that the table quotes::

    # Deraining, Restormer. Anything else that is worth knowing.
    # Paper: Restormer (arXiv 2111.09881): all values, for 8 GPUs.
    # Data: prepare.py Rain13K; extract_patches.py --preset NAME

Leaves without a line `# Paper:` (the quickstart's, for one) are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semanir_arch.utils.errors import InputError, MissingFileError
from semanir_arch.utils.options.resolution import resolve

__all__ = ["Header", "find_leaves", "overview", "read_header"]

_COLUMNS = ("task", "network", "file", "trained on", "tested on", "protocol", "from the paper")
_TITLE = re.compile(r"# (.*?), ([^,]*?)\.(?: |$)")
_PAPER = re.compile(r"# Paper: .*?\(arXiv ([\d.]+)\): (.*)\.$")
_DATA = re.compile(r"# Data: (.*)$")


@dataclass(frozen=True)
class Header:
    """Facts that a leaf states about itself.

    Args:
        task: Task that the file restores.
        network: Network of the file.
        arxiv: Number of the network's paper.
        published: Values that are the paper's.
        data: Commands that prepare the images.
    """

    task: str
    network: str
    arxiv: str
    published: str
    data: str


def read_header(leaf: Path) -> Header | None:
    """The first three lines of a leaf; None where it names no paper.

    Raises:
        ValueError: It names a paper, but one of the lines has another form.
    """
    lines = leaf.read_text(encoding="utf-8").splitlines()[:3]
    if not any(line.startswith("# Paper:") for line in lines):
        return None
    found = [rule.match(line) for rule, line in zip((_TITLE, _PAPER, _DATA), lines, strict=False)]
    matches = [match for match in found if match is not None]
    if len(matches) < 3:
        raise InputError(f"{leaf}: expected a title, '# Paper:' and '# Data:' in its first lines")
    return Header(*(text for match in matches for text in match.groups()))


def overview(root: Path) -> str:
    """The table, in Markdown.

    Args:
        root: Folder with a folder for each task, such as `options`.

    Raises:
        FileNotFoundError: There are no option files below it.
        ValueError: A leaf is wrong; see `resolve` and `read_header`.
    """
    leaves = sorted(find_leaves(root), key=lambda path: (path.parent, path.stem))
    if not leaves:
        raise MissingFileError(f"{root}: expected option files in its folders")
    rows = [_COLUMNS, ("---",) * len(_COLUMNS), *_rows(root, leaves)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def find_leaves(root: Path) -> Iterator[Path]:
    """Option files of a folder, without fragments, sorted by their paths."""
    for path in sorted(root.rglob("*.yml")):
        if "_base_" not in path.relative_to(root).parts:
            yield path


def _rows(root: Path, leaves: list[Path]) -> Iterator[tuple[str, ...]]:
    for leaf in leaves:
        header = read_header(leaf)
        if header is None:
            continue
        name = leaf.relative_to(root)
        training = resolve(leaf).options
        trained = _sets(training, "train") if "train" in training else "-"
        options = resolve(leaf, role="test").options
        protocol = (options.get("val") or {}).get("protocol")
        yield (
            header.task,
            header.network,
            f"`{name.with_suffix('').as_posix()}`",
            trained,
            _sets(options, ""),
            f"`{protocol}`" if protocol else "its server's",
            f"[{header.arxiv}](https://arxiv.org/abs/{header.arxiv}): {header.published}",
        )


def _sets(options: dict[str, Any], phase: str) -> str:
    """Names of the data sets whose block begins with `phase`."""
    blocks = options["datasets"].items()
    return ", ".join(block["name"] for key, block in blocks if key.startswith(phase))
