from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from semanir_arch.data.preparation import parallel_jobs
from semanir_arch.data.preparation.parallel_jobs import Progress, run_jobs
from semanir_arch.utils.atomic import remove_leftovers, replacing
from semanir_arch.utils.errors import InputError


def square(number):
    if number < 0:
        raise InputError(f"{number} is negative")
    return number * number, os.getpid()


@pytest.mark.parametrize("workers", [1, 2])
def test_results_and_errors_belong_to_their_jobs(workers):
    results = dict(run_jobs(square, range(-2, 20), workers))
    assert len(results) == 22
    for number, result in results.items():
        if number < 0:
            assert isinstance(result, ValueError)
            assert str(result) == f"{number} is negative"
        else:
            assert result[0] == number * number
    processes = {result[1] for result in results.values() if isinstance(result, tuple)}
    assert (os.getpid() in processes) == (workers == 1)


def test_jobs_are_asked_for_little_by_little():
    asked = []

    def jobs():
        for number in range(1000):
            asked.append(number)
            yield number

    results = run_jobs(square, jobs(), 2)
    next(results)
    assert len(asked) <= 16
    results.close()


def blurred(size):
    return cv2.GaussianBlur(np.ones((size, size, 3), np.float32), (0, 0), 3).mean()


def test_processes_do_not_wait_for_threads_of_this_one():
    cv2.setNumThreads(2)
    blurred(1500)
    results = list(run_jobs(blurred, [1500, 1500], 2))
    assert [result for _, result in results] == pytest.approx([1, 1])
    assert cv2.getNumThreads() == 2


def broken(number):
    raise KeyError(number)


@pytest.mark.parametrize("workers", [1, 2])
def test_errors_that_nobody_expects_come_through(workers):
    with pytest.raises(KeyError):
        list(run_jobs(broken, [1, 2, 3], workers))


def test_impossible_numbers_of_processes_are_refused():
    with pytest.raises(ValueError, match="workers must be 1 or more, received 0"):
        list(run_jobs(square, [1], 0))


def test_progress_is_shown_now_and_then(capsys, monkeypatch):
    now = [100.0]
    # the name in that module alone: servers of other tests wait by the real clock
    monkeypatch.setattr(parallel_jobs, "time", SimpleNamespace(monotonic=lambda: now[0]))
    progress = Progress(seconds=5)
    for number in range(13):
        progress(f"{number}")
        now[0] += 1
    assert capsys.readouterr().out.splitlines() == ["5", "10"]


def write_for_ever(path):
    """Announce this process, and never finish a file."""
    with replacing(path.with_suffix(".png")) as file:
        file.write(b"half")
        path.with_suffix(".begun").write_text(str(os.getpid()))
        time.sleep(600)


WORKERS = """
import sys
from pathlib import Path
from semanir_arch.data.preparation import parallel_jobs
from semanir_arch.data.preparation.parallel_jobs import run_jobs
from tests.data.preparation.test_parallel_jobs import write_for_ever
list(run_jobs(write_for_ever, [Path(sys.argv[1], name) for name in "abc"], 3))
"""


def wait_until(condition):
    """Wait for what is to happen, for as long as a computer may be busy."""
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def lives(number):
    """Whether a process runs; one that has ended and waits to be asked does not."""
    try:
        state = Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks Linux for processes")
def test_workers_end_with_a_parent_that_was_killed_and_the_next_run_removes_what_they_left(
    tmp_path,
):
    root = Path(__file__).parents[3]
    parent = subprocess.Popen([sys.executable, "-c", WORKERS, str(tmp_path)], cwd=root)
    workers = []
    try:
        wait_until(lambda: len(list(tmp_path.glob("*.begun"))) == 3 or parent.poll() is not None)
        workers = [int(path.read_text()) for path in tmp_path.glob("*.begun")]
        assert len(set(workers)) == 3
        # nothing of those that live is taken away
        assert remove_leftovers(tmp_path) == []
        parent.kill()
        parent.wait()
        wait_until(lambda: not any(map(lives, workers)))
    finally:
        parent.kill()
        for worker in filter(lives, workers):
            os.kill(worker, signal.SIGKILL)
    assert len(remove_leftovers(tmp_path)) == 3
    assert {path.suffix for path in tmp_path.iterdir()} == {".begun"}
