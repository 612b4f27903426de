from __future__ import annotations

import os
import time

import cv2
import numpy as np
import pytest

from semanir_arch.data.preparation.work import Progress, run_jobs


def square(number):
    if number < 0:
        raise ValueError(f"{number} is negative")
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


def test_progress_is_shown_now_and_then(capsys):
    progress = Progress(seconds=0.05)
    for number in range(100):
        progress(f"{number}")
        time.sleep(0.001)
    lines = capsys.readouterr().out.splitlines()
    assert 1 <= len(lines) <= 5
    assert lines[0] != "0"
