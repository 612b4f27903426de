"""Argument lines of docstrings are full noun phrases, since an editor shows each alone."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from tests.helpers import ROOT

FRAGMENT = re.compile(
    "(Its|Their|Whose|Those|"
    "Of|That|To|In|As|From|By|With|Without|For|On|At|Below|Above|Beside|Into|Among|Between|Inside|"
    "Behind|Before|After|Per|Under|Over|Like|"
    "What|Which|Who|How|Where|When|Why|"
    "It|They|There|Also|Such|And|Or|Not|See|One of|All of them|May|Need|Exists|"
    "Called|Changed|Made|Added|Told|Gets|Returns|Does|Draws|Keeps|Makes|Writes|Loads|Allow|Offer"
    r")\b"
)
"""Beginnings of what only makes sense together with the argument's name."""


def _arguments(docstring: str) -> Iterator[tuple[str, str]]:
    """Name and first line of every argument and attribute."""
    section = re.compile(r"^(?:Args|Attributes):\n((?:(?:    .*)?\n?)*)", re.MULTILINE)
    for body in section.findall(inspect.cleandoc(docstring)):
        yield from re.findall(r"^    ([*\w]+): (.*)$", body, flags=re.MULTILINE)


def _docstrings(file: Path) -> Iterator[tuple[str, str]]:
    """Name and docstring of every class and function of a file."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, ast.get_docstring(node) or ""


def test_arguments_are_described_by_full_noun_phrases():
    files = [
        path
        for folder in ("semanir_arch", "datasets_prep", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
    ]
    seen, fragments = 0, []
    for file in files:
        for owner, docstring in _docstrings(file):
            for name, text in _arguments(docstring):
                seen += 1
                if FRAGMENT.match(text):
                    fragments.append(f"{file.relative_to(ROOT)}: {owner}({name}): {text}")
    assert seen > 1500
    assert not fragments, "\n".join(fragments)
