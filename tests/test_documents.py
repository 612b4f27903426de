"""What holds for every document: links and named files exist, and prose lines are short."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.helpers import ROOT

LONGEST = 100
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


def _prose(page: Path) -> str:
    """Text without code blocks."""
    text = page.read_text(encoding="utf-8")
    return re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)


def _anchors(page: Path) -> set[str]:
    """Anchors of the headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", _prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def _broken_links(page: Path) -> Iterator[str]:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)]*))?\)", _prose(page)):
        file = page.parent / target if target else page
        if not file.exists():
            yield f"{target} does not exist"
        elif anchor and anchor not in _anchors(file):
            yield f"{target} has no heading #{anchor}"


def _stale_paths(page: Path) -> Iterator[str]:
    """Files that are named in the prose, but are not there."""
    pattern = r"`((?:semanir_arch|tests|benchmarks|datasets_prep|docs)/[\w/.]+\.\w+)`"
    for path in re.findall(pattern, _prose(page)):
        # the guides name the files that they write
        if not (ROOT / path).exists() and page.name != "CONTRIBUTING.md":
            yield f"{path} is not there"


def _long_lines(page: Path) -> Iterator[str]:
    for line in _prose(page).splitlines():
        # tables, formulas and links cannot be wrapped
        if len(line) > LONGEST and not line.startswith(("|", "  |", "    ")) and "](" not in line:
            yield f"{len(line)} characters: {line[:40]}..."


def test_links_lead_somewhere():
    assert not [(page.name, what) for page in PAGES for what in _broken_links(page)]


def test_files_that_documents_name_are_there():
    assert not [(page.name, what) for page in PAGES for what in _stale_paths(page)]


def test_lines_of_prose_are_short():
    # the tables of this page are written by a script, each note in one line
    pages = [page for page in PAGES if page.name != "metrics_measurements.md"]
    assert not [(page.name, what) for page in pages for what in _long_lines(page)]
