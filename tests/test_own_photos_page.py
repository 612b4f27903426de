"""docs/own_photos.md, followed to the letter: its files are written, its commands run, in order.

Twenty generated pictures take the place of the photos, and a network of a few weights that of the
page's, with a handful of iterations.
"""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.program import TensorBoard

from semanir_arch import host
from semanir_arch.commands import launch
from semanir_arch.data.files.image_io import write_image
from semanir_arch.models.restoration_model import RestorationModel
from semanir_arch.utils.shipped import shipped_folder
from tests.helpers import ROOT, TINY_SR, TINY_UNET
from tests.small_runs import forget_the_log

PAGE = (ROOT / "docs" / "own_photos.md").read_text(encoding="utf-8")
LEAVES = ("denoise", "jpeg", "x2", "pairs")
ITERATIONS, INTERRUPTED = 5, 3

SHORT = {
    "train:total_iter": ITERATIONS,
    "train:scheduler:periods": [ITERATIONS],
    "train:warmup_iter": 2,
    "datasets:train:patch_size": 16,
    "datasets:train:batch_size_per_gpu": 2,
    "datasets:train:num_worker_per_gpu": 0,
    "logger:print_freq": 1,
    "logger:save_checkpoint_freq": 100,
    "num_gpu": 0,
}


def blocks():
    """Language, content and, where the text above says so, file of each block, in order."""
    pattern = r"(?:`(options/\S+?\.yml)`:\n\n)?^```(\w+)\n(.*?)^```"
    for file, language, content in re.findall(pattern, PAGE, re.MULTILINE | re.DOTALL):
        yield language, content, file


def command_lines():
    """The commands of the page; the first block only shows where it leads."""
    shells = [content for language, content, _ in blocks() if language == "bash"]
    return [shlex.split(line) for shell in shells[1:] for line in shell.splitlines()]


def shortened(words):
    """The same command with a training of a moment."""
    if words[0] not in ("semanir-train", "semanir-test"):
        return words
    name = Path(words[words.index("-opt") + 1]).stem
    tiny = TINY_SR if name == "x2" else TINY_UNET
    network = {f"network_g:{k}": v for k, v in tiny.items() if k not in ("type", "upscale")}
    changed = network | (SHORT if words[0] == "semanir-train" else {"num_gpu": 0})
    return [*words, "--force_yml", *(f"{k}={json.dumps(v)}" for k, v in changed.items())]


def run(words):
    """Run a command of the page in this process, and return its exit code."""
    program, *arguments = shortened(words)
    if program == "cp":
        return subprocess.run(words, check=False).returncode
    if program == "tensorboard":
        TensorBoard().configure(argv=words)
        return 0
    forget_the_log()
    return launch.run(program.removeprefix("semanir-"), arguments)


def write_photos(folder):
    """Small pictures, each unlike the others; smaller than a patch, so they stay whole."""
    for number in range(1, 21):
        coarse = np.random.default_rng(number).integers(0, 256, (9, 11, 3), dtype=np.uint8)
        picture = cv2.resize(coarse, (72, 60), interpolation=cv2.INTER_CUBIC)
        write_image(folder / f"IMG_{number:04}.jpg", picture)


def interrupt_once(monkeypatch):
    """Press Ctrl-C during one iteration of the first training."""
    step, pressed = RestorationModel.optimize_parameters, []

    def press(self, iteration):
        if iteration == INTERRUPTED and not pressed:
            pressed.append(iteration)
            signal.raise_signal(signal.SIGINT)
        step(self, iteration)

    monkeypatch.setattr(RestorationModel, "optimize_parameters", press)


@pytest.fixture(scope="module")
def journey(tmp_path_factory):
    """The folder in which the page was followed, and for each command its exit codes."""
    folder, codes = tmp_path_factory.mktemp("own"), {}
    write_photos(folder / "photos")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        patched.setattr(host.load("basicsr.utils.logger"), "initialized_logger", {})
        interrupt_once(patched)
        (folder / "options").mkdir()
        (folder / "options" / "_base_").symlink_to(shipped_folder("options") / "_base_")
        for _, content, file in blocks():
            if file:
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                (folder / file).write_text(content, encoding="utf-8")
        for words in command_lines():
            codes[shlex.join(words)] = [run(words)]
            if codes[shlex.join(words)] == [130]:
                # the same command continues, as the page says
                codes[shlex.join(words)].append(run(words))
        for leaf in LEAVES[1:]:
            for words in command_lines():
                if words[0] in ("semanir-train", "semanir-test"):
                    other = shlex.join(words).replace("denoise", leaf)
                    codes[other] = [run(shlex.split(other))]
    torch.set_num_threads(threads)
    return folder, codes


def test_what_the_page_begins_with_is_reached_below():
    first = next(content for language, content, _ in blocks() if language == "bash")
    assert shlex.split(first) in command_lines()
    kinds = [words[0] for words in command_lines()]
    for command in ("data", "train", "test", "restore"):
        assert f"semanir-{command}" in kinds
    assert kinds.count("tensorboard") == 1


def test_every_command_ends_well_and_only_the_training_is_interrupted(journey):
    _, codes = journey
    assert {command: ended for command, ended in codes.items() if ended != [0]} == {
        "semanir-train -opt options/photos/denoise.yml --auto_resume": [130, 0]
    }


def test_the_files_are_short_and_of_the_four_kinds(journey):
    folder, _ = journey
    found = {path.stem: path for path in (folder / "options/photos").iterdir()}
    assert sorted(found) == sorted(LEAVES)
    kinds = set()
    for path in found.values():
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 15
        kinds.add(yaml.safe_load(text)["datasets"]["train"]["type"])
    assert len(kinds) == 4


def test_the_held_out_photos_are_in_no_patch(journey):
    data = journey[0] / "datasets" / "photos"
    assert {path.name for path in (data / "test").glob("*.png")} == {"IMG_0001.png", "IMG_0002.png"}
    trained_on = {path.name[:8] for path in (data / "train").rglob("*.png")}
    assert trained_on == {f"IMG_{number:04}" for number in range(3, 21)}


@pytest.mark.parametrize("leaf", LEAVES)
def test_each_file_leads_to_weights_and_a_table_under_one_name(journey, leaf):
    folder, _ = journey
    name = f"photos_{leaf}"
    assert (folder / "experiments" / name / "models" / "net_g_latest.pth").is_file()
    states = (folder / "experiments" / name / "training_states").glob("*.state")
    wanted = {INTERRUPTED, ITERATIONS} if leaf == "denoise" else {ITERATIONS}
    assert {int(path.stem) for path in states} == wanted
    report = json.loads((folder / "results" / name / "report.json").read_text())
    assert (folder / "results" / name / "report.html").is_file()
    shown = "photos_pairs_test" if leaf == "pairs" else "photos_test"
    assert f'"{shown}"' in json.dumps(report)


def test_tensorboard_has_losses_and_scores(journey):
    events = EventAccumulator(str(journey[0] / "tb_logger" / "photos_denoise"))
    events.Reload()
    tags = events.Tags()["scalars"]
    assert "losses/l_pix" in tags
    assert "metrics/photos_test/psnr" in tags


def test_the_restored_photo_has_a_picture_of_before_and_after(journey):
    restored = {path.name for path in (journey[0] / "restored").iterdir()}
    assert {"IMG_0001.jpg", "IMG_0001_compare.png"} <= restored
