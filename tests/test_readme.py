"""What the README tells people to type must work: every command of it runs here.

`make` itself is not started: its targets exist, `make test` is what runs this file, and what
`make quickstart` starts runs in `test_quickstart.py`. `pip install .` is run by
`test_packaging.py`, up to the wheel.
"""

from __future__ import annotations

import re
import shlex

import numpy as np
import pytest

from semanir_arch.commands import launch
from semanir_arch.commands.launch import COMMANDS
from semanir_arch.data.files.image_io import load_image, write_image
from tests.helpers import ROOT
from tests.small_runs import forget_the_log
from tests.tiny_quickstart import NETWORK, TRAINING, write_images

README = (ROOT / "README.md").read_text(encoding="utf-8")
TINY = (*NETWORK, *TRAINING, "train:total_iter=5", "train:scheduler:periods=[5]")

SHORTER = {
    "semanir-train": ["--force_yml", *TINY],
    "semanir-test": ["--force_yml", *NETWORK],
    # tests/test_quickstart.py runs what it starts
    "semanir-quickstart": ["--help"],
    # installing takes minutes; tests/commands/test_doctor.py runs it with a pip that only listens
    "semanir-doctor --repair": ["--help"],
}
"""What is added to a command, so that it takes seconds."""


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def commands():
    """Every command of the README, without its comment."""
    lines = [line for block in blocks("bash") for line in block.splitlines() if line.strip()]
    return [shlex.split(line, comments=True) for line in lines]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the commands run: a photograph, and the images of the quickstart."""
    folder = tmp_path_factory.mktemp("readme")
    photo = np.random.default_rng(0).integers(0, 256, (9, 14, 3), dtype=np.uint8)
    write_image(folder / "photo.jpg", photo)
    write_images(folder / "datasets" / "quickstart")
    return folder


def test_the_page_is_short_and_has_one_of_each():
    assert len(README.splitlines()) <= 90
    assert len(blocks("python")) == 1
    assert len(blocks("python")[0].strip().splitlines()) <= 6
    kinds = {words[0] for words in commands()}
    assert {"pip", "semanir-restore", "semanir-train", "semanir-test", "make"} <= kinds


def test_every_command_has_somebody_who_runs_it():
    scripts = {f"semanir-{name}" for name, command in COMMANDS.items() if command.is_script}
    for words in commands():
        assert words[0] in scripts | {"make"} or words == ["pip", "install", "."], words


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [w for w in commands() if w[0].startswith("semanir-")], ids=shlex.join
)
def test_commands_run_in_their_order(folder, words, monkeypatch, capsys):
    more = next((SHORTER[key] for key in SHORTER if shlex.join(words).startswith(key)), [])
    name = words[0].removeprefix("semanir-")
    monkeypatch.chdir(folder)
    forget_the_log()
    try:
        code = launch.run(name, [*words[1:], *more])
    except SystemExit as ended:
        code = ended.code
    printed = "".join(capsys.readouterr())
    assert code == 0, printed
    assert printed


def test_the_targets_of_make_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = [words[1] for words in commands() if words[0] == "make"]
    assert {"quickstart", "test"} <= set(targets)
    for target in targets:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_the_python_example_restores_a_photo(folder, monkeypatch):
    monkeypatch.chdir(folder)
    exec(compile(blocks("python")[0], "README.md", "exec"), {})
    assert load_image("restored.png").pixels.shape == load_image("photo.jpg").pixels.shape


def test_scores_of_the_table_are_those_of_the_shipped_records():
    """Rounded to two digits, as the record of the weights has them."""
    from semanir_arch.weights import find

    wanted = {
        ("photo", "CC15", ""): "37.32",
        ("denoise", "CBSD68", "25"): "31.19",
        ("jpeg_gray", "classic5", "10"): "29.26",
        ("demosaic", "Kodak24", ""): "41.91",
        ("sr_x4", "Set5", ""): "31.35",
    }
    for (task, data, level), shown in wanted.items():
        assert f" {shown} " in README
        scores = [
            score
            for score in find(task).scores
            if data.lower() in score.dataset.lower() and level in score.level
        ]
        assert shown in {f"{score.psnr:.2f}" for score in scores}, (task, scores)
