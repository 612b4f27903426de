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
COPIED = ("semanir_arch", "options", "tests", "docs", "datasets_prep", "pyproject.toml")
MOST_FILES = {
    "Add an attention backend": 3,
    "Add a network": 3,
    "Add a degradation with its task": 6,
    "Add a protocol": 2,
}
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
    """Files and words of every `pytest FILE ... --case WORD ...` in the text."""
    for command in re.findall(r"`pytest\s+(tests/[^`]+)`", text):
        words = shlex.split(" ".join(command.split()))
        places = [place for place, word in enumerate(words) if word == "--case"]
        assert places, f"{command}: name the cases"
        yield words[: places[0]], [words[place + 1] for place in places]


def follow(text, files):
    """Write and change what the guide says, in a mapping from paths to texts."""
    for path, content in new_files(text):
        assert path not in files, path
        assert not (ROOT / path).exists(), path
        files[path] = content
    for path, old, new in changes(text):
        before = files[path] if path in files else (ROOT / path).read_text(encoding="utf-8")
        assert before.count(old) == 1, f"{path}: not there once:\n{old}"
        files[path] = before.replace(old, new)


def copy_tree(tree):
    """A copy of what the tests need; files that no guide changes are links."""
    for name in COPIED:
        if (ROOT / name).is_file():
            shutil.copyfile(ROOT / name, tree / name)
            continue
        ignored = shutil.ignore_patterns("__pycache__", "*.jpg", "*.png", "reference")
        shutil.copytree(ROOT / name, tree / name, ignore=ignored, copy_function=os.symlink)


def run_tests(files, words, tree):
    """Run what the words choose of the files, in one process, and return its output."""
    process = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-rA"),
            # of everything chosen, the slowest by far
            *("-k", "not compiles", *files, *(f"--case={word}" for word in words)),
        ],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stdout[-4000:] + process.stderr[-2000:]
    return process.stdout


@pytest.mark.parametrize("title", MOST_FILES)
def test_a_guide_can_be_followed_alone_and_touches_few_files(title):
    files = {}
    follow(section(title), files)
    assert 2 <= len(files) <= MOST_FILES[title], sorted(files)


@pytest.mark.slow
def test_the_guides_as_they_stand_end_with_passing_tests(tmp_path):
    """All of them in one copy of the tree, and all their tests in one process."""
    copy_tree(tmp_path)
    files, tests, words = {}, [], []
    for title in MOST_FILES:
        follow(section(title), files)
        named = [*named_tests(section(title))]
        assert named, title
        tests += [file for found, _ in named for file in found]
        words += [word for _, found in named for word in found]
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).unlink(missing_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    output = run_tests(dict.fromkeys(tests), words, tmp_path)
    assert set(re.findall(r"^PASSED (\S+?)::", output, re.MULTILINE)) == set(tests)


@pytest.mark.parametrize("title", MOST_FILES)
def test_every_file_that_a_guide_names_is_there_or_made_by_it(title):
    text = section(title)
    made = {path for path, _ in new_files(text)}
    named = set(re.findall(r"`([\w/]+/[\w.]+\.(?:py|yml|md))`", text))
    assert {path for path in named - made if not (ROOT / path).exists()} == set()


def test_every_block_of_the_guides_is_written_or_applied():
    """A block without a name above it would be skipped without a word."""
    for title in MOST_FILES:
        text = section(title)
        blocks = len(re.findall(r"^ *```\w+$", text, re.MULTILINE))
        diffs = len(re.findall(r"^ *```diff$", text, re.MULTILINE))
        assert blocks == diffs + len([*new_files(text)])
    titles = re.findall(r"^## (Add .*)$", PAGE, re.MULTILINE)
    assert titles == [*MOST_FILES]
