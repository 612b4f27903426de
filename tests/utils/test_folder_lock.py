"""One run per folder."""

from __future__ import annotations

import multiprocessing
import os
import time

import pytest

from semanir_arch import host
from semanir_arch.utils import folder_lock
from semanir_arch.utils.folder_lock import FolderLock, archive

FORK = multiprocessing.get_context("fork")


def try_to_lock(folder, answers):
    try:
        FolderLock(folder)
    except ValueError as error:
        answers.put(str(error))
    else:
        answers.put("locked")


def ask_another_process(folder):
    answers = FORK.Queue()
    process = FORK.Process(target=try_to_lock, args=(folder, answers))
    process.start()
    process.join()
    return answers.get(timeout=300)


@pytest.mark.skipif(os.name == "nt", reason="POSIX locks")
def test_a_folder_belongs_to_one_process_until_it_is_released(tmp_path):
    lock = FolderLock(tmp_path / "run")
    assert "another run of this name is in progress" in ask_another_process(tmp_path / "run")
    lock.start_afresh()
    assert "another run of this name is in progress" in ask_another_process(tmp_path / "run")
    lock.release()
    assert ask_another_process(tmp_path / "run") == "locked"


@pytest.fixture
def locks_of_windows(monkeypatch):
    """The lock that Windows gets, on the system of the test: filelock chooses what that offers."""
    monkeypatch.setattr(folder_lock, "_lock_file", folder_lock._lock_file_of_windows)


@pytest.mark.usefixtures("locks_of_windows")
@pytest.mark.skipif(os.name == "nt", reason="forks")
def test_the_lock_for_windows_keeps_a_folder_for_one_process(tmp_path):
    lock = FolderLock(tmp_path / "run")
    assert "another run of this name is in progress" in ask_another_process(tmp_path / "run")
    (tmp_path / "run" / "models").mkdir()
    lock.start_afresh()
    assert "another run of this name is in progress" in ask_another_process(tmp_path / "run")
    lock.release()
    assert ask_another_process(tmp_path / "run") == "locked"
    FolderLock(tmp_path / "run").release()


def test_on_windows_a_folder_is_moved_only_while_nobody_holds_a_file_in_it(tmp_path, monkeypatch):
    """Windows refuses to move a folder with an open file, and so does this stand-in."""
    held = set()
    lock_file, locked_by_another = folder_lock._lock_file, []

    def noted(path):
        unlock = lock_file(path)
        held.add(path.parent)
        return lambda: (held.discard(path.parent), unlock())

    def moved(folder):
        if folder in held or locked_by_another:
            raise PermissionError(13, "Access is denied", str(folder))
        archive(folder)

    monkeypatch.setattr(folder_lock, "_lock_file_of_windows", noted)
    monkeypatch.setattr(folder_lock, "archive", moved)
    # Python's own modules look at os.name too, pathlib among them
    monkeypatch.setattr(folder_lock, "os", Windows())
    (tmp_path / "run" / "models").mkdir(parents=True)
    lock = FolderLock(tmp_path / "run")
    lock.start_afresh()
    assert len([*tmp_path.glob("run_archived_*")]) == 1
    assert held == {tmp_path / "run"}
    (tmp_path / "run" / "models").mkdir()
    locked_by_another.append(True)
    with pytest.raises(ValueError, match="another run of this name is in progress"):
        lock.start_afresh()
    assert (tmp_path / "run" / "models").is_dir()


class Windows:
    """The module `os`, but for the name of the system."""

    name = "nt"

    def __getattr__(self, attribute):
        return getattr(os, attribute)


def hold(folder, ready):
    FolderLock(folder)
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
    FolderLock(tmp_path).release()
    os.kill(child, 9)


def test_what_a_former_run_left_is_moved_aside(tmp_path):
    folder = tmp_path / "run"
    (folder / "models").mkdir(parents=True)
    (folder / "models" / ".net_g_5.pth.77.tmp").touch()
    lock = FolderLock(folder)
    assert not [*folder.rglob("*.tmp")]
    lock.start_afresh()
    lock.release()
    assert [path.name for path in folder.iterdir()] == [".lock"]
    (archived,) = tmp_path.glob("run_archived_*")
    assert (archived / "models").is_dir()


def test_a_new_folder_is_not_moved(tmp_path):
    FolderLock(tmp_path / "run").start_afresh()
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
