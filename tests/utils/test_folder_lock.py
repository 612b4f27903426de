"""One run per folder."""

from __future__ import annotations

import multiprocessing
import os
import time

import pytest

from semanir_arch import host
from semanir_arch.utils.folder_lock import Claim, archive

FORK = multiprocessing.get_context("fork")


def try_to_claim(folder, answers):
    try:
        Claim(folder)
    except ValueError as error:
        answers.put(str(error))
    else:
        answers.put("claimed")


def ask_another_process(folder):
    answers = FORK.Queue()
    process = FORK.Process(target=try_to_claim, args=(folder, answers))
    process.start()
    process.join()
    return answers.get(timeout=300)


@pytest.mark.skipif(os.name == "nt", reason="POSIX locks")
def test_a_folder_belongs_to_one_process_until_it_is_released(tmp_path):
    claim = Claim(tmp_path / "run")
    assert "another run of this name is in progress" in ask_another_process(tmp_path / "run")
    claim.start_afresh()
    assert "another run of this name is in progress" in ask_another_process(tmp_path / "run")
    claim.release()
    assert ask_another_process(tmp_path / "run") == "claimed"


def hold(folder, ready):
    Claim(folder)
    child = FORK.Process(target=time.sleep, args=(600,))
    child.start()
    ready.put(child.pid)
    time.sleep(600)


@pytest.mark.skipif(os.name == "nt", reason="POSIX locks")
def test_a_killed_process_holds_nothing_even_if_its_children_live_on(tmp_path):
    ready = FORK.Queue()
    holder = FORK.Process(target=hold, args=(tmp_path, ready))
    holder.start()
    child = ready.get(timeout=300)
    holder.kill()
    holder.join()
    os.kill(child, 0)
    Claim(tmp_path).release()
    os.kill(child, 9)


def test_what_a_former_run_left_is_moved_aside(tmp_path):
    folder = tmp_path / "run"
    (folder / "models").mkdir(parents=True)
    (folder / "models" / ".net_g_5.pth.77.tmp").touch()
    claim = Claim(folder)
    assert not [*folder.rglob("*.tmp")]
    claim.start_afresh()
    claim.release()
    assert [path.name for path in folder.iterdir()] == [".lock"]
    (archived,) = tmp_path.glob("run_archived_*")
    assert (archived / "models").is_dir()


def test_a_new_folder_is_not_moved(tmp_path):
    Claim(tmp_path / "run").start_afresh()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_two_archives_of_one_second_have_different_names(tmp_path, monkeypatch):
    """BasicSR gives both the same name, and fails."""
    utils = host.load("basicsr.utils.misc")
    monkeypatch.setattr(utils, "get_time_str", lambda: "20260101_000000")
    with pytest.raises(OSError, match="not empty"):
        put_aside_twice(tmp_path / "plain", lambda folder: utils.mkdir_and_rename(str(folder)))

    monkeypatch.setattr(time, "strftime", lambda _: "20260101_000000")
    put_aside_twice(tmp_path / "ours", archive)
    names = {path.name for path in tmp_path.glob("ours*")}
    assert names == {"ours_archived_20260101_000000", "ours_archived_20260101_000000_2"}


def put_aside_twice(folder, function):
    for _ in range(2):
        folder.mkdir(exist_ok=True)
        (folder / "file").touch()
        function(folder)
