"""One table of tasks, from which everything takes its words."""

from __future__ import annotations

import subprocess
import sys

import pytest

from semanir_arch.archs.ramit_arch import RAMIT_TASKS
from semanir_arch.data import DATASETS
from semanir_arch.data.degradations.damages import DAMAGES
from semanir_arch.metrics.protocols import PROTOCOLS
from semanir_arch.report.published import load_published
from semanir_arch.restoring.chain import split_tasks
from semanir_arch.tasks import NETWORK_TASKS, TASKS, find_task, get_task, suggest_task
from semanir_arch.weights import available
from tests.helpers import ROOT

OPTIONS = ROOT / "options"
NO_TASKS = {"_base_", "shipped", "quickstart"}
"""Folders of fragments, of the package's own networks (by their names), and of the first steps."""

FORMER = {
    # --task of semanir-restore, and TASK of python -m semanir_arch.weights
    **{name: name for name in ("denoise", "denoise_gray", "photo", "jpeg", "jpeg_gray", "sr_x2")},
    **{name: name for name in ("sr_x4", "photo_x2", "photo_x4", "demosaic", "deblur", "derain")},
    "weather": "weather",
    "lowlight": "lowlight",
    "denoise_color": "denoise",
    "jpeg_color": "jpeg",
    # published figures and results.json
    "denoising_color": "denoise",
    "denoising_gray": "denoise_gray",
    "sr": "sr",
    "demosaicking": "demosaic",
    "deraining": "derain",
    "deblurring": "deblur",
    "defocus_single": "defocus",
    "defocus_dual": "defocus_dual",
    "real_denoising": "real_denoise",
    "low_light": "lowlight",
    # `task` of RAMiT
    "sr_x3": "sr_x3",
    "denoising_real": "real_denoise",
}
"""Every word that a file or command took for a task before there was one table."""

MEANT = {
    "upscale": "photo_x2",
    "denoising": "denoise",
    "super resolution": "sr_x2",
    "sr": "sr_x2",
    "low-light": "lowlight",
    "jpg": "jpeg",
    "snow": "weather",
    "bayer": "demosaic",
    "best": "auto",
}
"""Words that a command answers with the right one."""

PAGE = ROOT / "docs" / "tasks.md"


def table():
    """The table of docs/tasks.md."""
    columns = "task", "what it is", "options", "damages", "data sets", "strength", "network"
    rows = [columns, ("---",) * len(columns)]
    for task in TASKS.values():
        strength = "{} {:g} to {:g}".format(task.strength, *task.levels) if task.levels else "-"
        network = "demonstration" if task.demonstration else "yes" if task.has_network else "-"
        makers = (
            name
            for name, kind in DATASETS.items()
            if (made := getattr(kind, "DAMAGE", None)) and made.name in task.damages
        )
        rows.append(
            (
                *(f"`{task.name}`", task.title, f"`{task.folder}/`" if task.folder else "-"),
                *(", ".join(f"`{name}`" for name in names) for names in (task.damages, makers)),
                *(strength, network),
            )
        )
    return "".join(f"| {' | '.join(cell or '-' for cell in row)} |\n" for row in rows)


def test_every_former_word_still_names_its_task():
    wrong = {word for word, name in FORMER.items() if find_task(word) is not TASKS[name]}
    assert not wrong
    aliases = [alias for task in TASKS.values() for alias in task.aliases]
    assert len(aliases) == len(set(aliases))
    assert not set(aliases) & TASKS.keys()
    assert set(aliases) <= FORMER.keys()


def test_commands_take_every_word_and_tell_an_alias_once(capsys):
    for word, name in FORMER.items():
        if TASKS[name].has_network:
            assert get_task(word) is TASKS[name]
            assert split_tasks(f"{word}+sr_x2") == [name, "sr_x2"]
    told = capsys.readouterr().err.splitlines()
    assert len(told) == len(set(told))
    get_task("denoising_color")
    get_task("denoise")
    assert not capsys.readouterr().err


def test_an_alias_is_told_on_standard_error():
    code = "from semanir_arch.tasks import get_task; [get_task('low_light') for _ in range(2)]"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == "note: task 'low_light' is now called 'lowlight'; both are read\n"


def test_plain_words_lead_to_tasks():
    known = [*NETWORK_TASKS, "auto"]
    assert {word: suggest_task(word, known) for word in MEANT} == MEANT


def test_a_task_without_a_network_says_where_its_option_files_are():
    with pytest.raises(ValueError, match=r"'defocus' has no network.*files: .*options/defocus"):
        get_task("defocus")
    with pytest.raises(ValueError, match=r"'old_photo' has no network.*files: none yet"):
        get_task("old_photo")
    with pytest.raises(ValueError, match=r"'sr' has no network.*did you mean 'sr_x2'"):
        get_task("sr")


def test_everything_that_has_a_task_takes_it_from_the_table():
    """Option folders, protocols, damages, shipped networks, data sets, figures, RAMiT's words."""
    folders = {path.name for path in OPTIONS.iterdir() if path.is_dir()} - NO_TASKS
    assert folders == {task.folder for task in TASKS.values()} - {""}
    assert {protocol.task for protocol in PROTOCOLS.values()} <= TASKS.keys()
    assert {name for task in TASKS.values() for name in task.damages} == DAMAGES.keys()
    assert {path.stem for path in (OPTIONS / "shipped").glob("*.yml")} == NETWORK_TASKS.keys()
    assert {shipped.task.name for shipped in available()} <= NETWORK_TASKS.keys()
    own = {getattr(kind, "TASK", None) for kind in DATASETS.values()} - {None}
    assert own == {"defocus_dual"}
    assert {figure.task for figure in load_published().figures} <= TASKS.keys()
    assert RAMIT_TASKS.keys() <= TASKS.keys()
    assert {name for task in TASKS.values() for name in task.starts_from} <= NETWORK_TASKS.keys()


def test_strengths_are_those_of_the_task():
    wrong = [
        task.name
        for task in TASKS.values()
        if (task.strength is None) != (task.levels is None)
        or (task.strength and task.sweep and not task.sweep.startswith(f"{task.strength}="))
    ]
    assert not wrong


def test_the_table_of_the_document_is_that_of_the_code():
    """`python -m tests.test_tasks` prints it."""
    assert table() in PAGE.read_text(encoding="utf-8")


if __name__ == "__main__":
    sys.stdout.write(table())
