"""What the README tells people to type must exist and work."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from semanir_arch.data.files.image_io import load_image, write_image
from semanir_arch.restoring.cli import parse_arguments as parse_restore
from semanir_arch.utils.options import resolve
from semanir_arch.weights import find

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    """Every command of the README, without its comment."""
    lines = [line for block in blocks("bash") for line in block.splitlines() if line.strip()]
    return [shlex.split(line, comments=True) for line in lines]


def test_there_are_commands_to_check() -> None:
    assert len(commands()) >= 6
    assert len(blocks("python")) == 1


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = [words[1] for words in commands() if words[0] == "make"]
    assert {"quickstart", "test"} <= set(targets)
    for target in targets:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_scripts_and_option_files_exist_and_resolve_with_their_overrides() -> None:
    checked = 0
    for words in commands():
        if words[0] != "python" or words[1] == "-m":
            continue
        assert (ROOT / words[1]).is_file(), words
        if "-opt" in words:
            cut = words.index("--force_yml") if "--force_yml" in words else len(words)
            resolve(ROOT / words[words.index("-opt") + 1], words[cut + 1 :])
            checked += 1
    assert checked >= 3


def test_restore_commands_are_understood_and_their_tasks_have_weights() -> None:
    restoring = [words[1:] for words in commands() if words[0].endswith("semanir-restore")]
    assert len(restoring) >= 3
    for words in restoring:
        arguments = parse_restore(words)
        if arguments.input:
            assert find(arguments.task).path.is_file()


def test_python_example_restores_a_photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    photo = np.random.default_rng(0).integers(0, 256, (9, 14, 3), dtype=np.uint8)
    write_image("photo.jpg", photo)
    exec(compile(blocks("python")[0], "README.md", "exec"), {})
    assert load_image("restored.png").pixels.shape == photo.shape


def test_linked_files_exist() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert links
    for link in links:
        assert (ROOT / link).exists(), link
