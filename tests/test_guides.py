"""The guides of CONTRIBUTING.md, each followed in a copy of the tree, down to its tests."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap

import pytest

from tests.helpers import ROOT

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
COPIED = ("semanir_arch", "options", "tests", "datasets_prep", "pyproject.toml")
BACKEND, NETWORK = ("Add an attention backend",), ("Add a network",)
# the task is that of the data set
DAMAGE = ("Add a data set", "Add a task")
MOST_FILES = {BACKEND: 3, NETWORK: 3, DAMAGE: 8}
"""Files that a guide makes or changes."""


def section(title):
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def new_files(text):
    """Path and content of every file whose name stands just above a block."""
    pattern = r"`([\w/]+\.(?:py|yml))`:\n\n *```(?:python|yaml)\n(.*?)^ *```"
    for path, content in re.findall(pattern, text, re.MULTILINE | re.DOTALL):
        yield path, textwrap.dedent(content)


def changes(text):
    """Path, lines to find and lines to put there of every change, in order."""
    for block in re.findall(r"^ *```diff\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL):
        path, _, lines = textwrap.dedent(block).partition("\n")
        for old, new in re.findall(r"((?:^-.*\n)+)((?:^\+.*\n)+)", lines, re.MULTILINE):
            yield path, re.sub(r"^-", "", old, flags=re.M), re.sub(r"^\+", "", new, flags=re.M)


def named_tests(text):
    """Arguments of every `pytest ...` in the text."""
    found = re.findall(r"`pytest (tests/[^`]+)`", text)
    return [shlex.split(" ".join(command.split())) for command in found]


def follow(text, tree):
    """Write and change what the guide says; the files, relative to the tree."""
    touched = set()
    for path, content in new_files(text):
        assert not (tree / path).exists(), path
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(content, encoding="utf-8")
        touched.add(path)
    for path, old, new in changes(text):
        before = (tree / path).read_text(encoding="utf-8")
        assert before.count(old) == 1, f"{path}: not there once:\n{old}"
        (tree / path).write_text(before.replace(old, new), encoding="utf-8")
        touched.add(path)
    return touched


def run_tests(commands, tree):
    """Run the items that any of the commands names, in one process, and return its output."""
    files = [command[0] for command in commands]
    # each names its file alone: what one selects is in no other's
    words = " or ".join(f"({command[command.index('-k') + 1]})" for command in commands)
    process = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"),
            *("-k", f"({words}) and not compiles", *files),
        ],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stdout[-4000:] + process.stderr[-2000:]
    return process.stdout


@pytest.mark.slow
@pytest.mark.parametrize("titles", MOST_FILES, ids=lambda titles: titles[0])
def test_a_guide_as_it_stands_ends_with_passing_tests(titles, tmp_path):
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.safetensors", "*.so")
            shutil.copytree(source, tmp_path / name, ignore=ignored)
        else:
            shutil.copyfile(source, tmp_path / name)
    touched, commands = set(), []
    for text in map(section, titles):
        touched |= follow(text, tmp_path)
        commands += named_tests(text)
    assert len(touched) <= MOST_FILES[titles]
    assert commands
    output = run_tests(commands, tmp_path)
    passed = int(re.findall(r"(\d+) passed", output)[0])
    assert passed >= 5, output


@pytest.mark.parametrize("titles", MOST_FILES, ids=lambda titles: titles[0])
def test_every_file_that_a_guide_names_is_there_or_made_by_it(titles):
    for text in map(section, titles):
        made = {path for text in map(section, titles) for path, _ in new_files(text)}
        named = set(re.findall(r"`([\w/]+/[\w.]+\.(?:py|yml|md))`", text))
        assert {path for path in named - made if not (ROOT / path).exists()} == set()


def test_every_block_of_the_guides_is_written_or_applied():
    """A block without a name above it would be skipped without a word."""
    for titles in MOST_FILES:
        for text in map(section, titles):
            blocks = len(re.findall(r"^ *```\w+$", text, re.MULTILINE))
            diffs = len(re.findall(r"^ *```diff$", text, re.MULTILINE))
            assert blocks == diffs + len([*new_files(text)])
