from __future__ import annotations

import threading

import pytest

from semanir_arch.restoring.serve import job_queue
from semanir_arch.restoring.serve.job_queue import BusyError, PhotoJob, Queue, RestoredPhoto
from semanir_arch.utils.errors import InputError

from .conftest import wait_until


def outcome(job):
    return RestoredPhoto(job.name, "image/png", job.name.encode(), b"before", b"after", {})


@pytest.fixture
def make_queue():
    queues = []

    def make(do):
        queues.append(Queue(do))
        return queues[-1]

    yield make
    for queue in queues:
        queue.close(5)
        assert not queue._thread.is_alive()


def test_jobs_are_done_one_at_a_time_in_their_order(make_queue):
    order, busy = [], threading.Lock()

    def do(job):
        assert busy.acquire(blocking=False)
        order.append(job.name)
        busy.release()
        return outcome(job)

    queue = make_queue(do)
    jobs = [PhotoJob("task", str(number), b"data") for number in range(5)]
    for job in jobs:
        queue.submit(job)
    wait_until(lambda: all(job.state == "done" for job in jobs))
    assert order == ["0", "1", "2", "3", "4"]
    assert all(job.data == b"" for job in jobs)
    assert len({job.id for job in jobs}) == 5


@pytest.mark.parametrize("error", [InputError("too dark"), MemoryError("too dark")])
def test_a_failure_is_told_and_ends_only_its_job(make_queue, error):
    def do(job):
        if job.name == "bad":
            raise error
        return outcome(job)

    queue = make_queue(do)
    bad, good = PhotoJob("task", "bad", b""), PhotoJob("task", "good", b"")
    queue.submit(bad)
    queue.submit(good)
    wait_until(lambda: good.finished)
    assert (bad.state, bad.message, good.state) == ("failed", "too dark", "done")


@pytest.mark.parametrize("error", [RuntimeError("a real defect"), KeyError("a real defect")])
def test_a_defect_is_reported_and_the_next_job_is_done(make_queue, monkeypatch, error):
    seen = []
    monkeypatch.setattr(threading, "excepthook", seen.append)

    def do(job):
        if job.name != "c":
            raise error
        return outcome(job)

    queue = make_queue(do)
    jobs = [PhotoJob("task", name, b"") for name in "abc"]
    for job in jobs:
        queue.submit(job)
    wait_until(lambda: all(job.finished for job in jobs))
    assert [job.state for job in jobs] == ["failed", "failed", "done"]
    assert {job.message for job in jobs[:2]} == {"the network failed on this photo"}
    wait_until(lambda: len(seen) == 2)
    assert all(arguments.exc_value is error for arguments in seen)


def test_photos_nobody_asks_about_are_given_up(make_queue, monkeypatch):
    released = threading.Event()

    def do(job):
        released.wait(5)
        return outcome(job)

    queue = make_queue(do)
    first, second = PhotoJob("task", "a", b"data"), PhotoJob("task", "b", b"data")
    queue.submit(first)
    wait_until(lambda: first.state == "working")
    queue.submit(second)
    monkeypatch.setattr(job_queue, "ABANDONED_SECONDS", 0.0)
    assert queue.find(second.id) is None
    released.set()
    assert (second.state, second.data) == ("cancelled", b"")
    wait_until(lambda: first.finished)
    assert (first.state, first.outcome) == ("cancelled", None)


def test_old_results_make_room(make_queue, monkeypatch):
    monkeypatch.setattr(job_queue, "KEPT_BYTES", 30)
    queue = make_queue(outcome)
    jobs = [PhotoJob("task", str(number) * 9, b"") for number in range(3)]
    for job in jobs:
        queue.submit(job)
        wait_until(lambda job=job: job.finished)
    assert [queue.find(job.id) is not None for job in jobs] == [False, False, True]
    with pytest.raises(BusyError):
        queue.submit(PhotoJob("task", "large", bytes(31)))


def test_closing_cancels_what_waits_and_what_is_in_work():
    def do(job):
        assert job.cancelled.wait(5)

    queue = Queue(do)
    jobs = [PhotoJob("task", "a", b""), PhotoJob("task", "b", b"")]
    for job in jobs:
        queue.submit(job)
    wait_until(lambda: jobs[0].state == "working")
    queue.close(5)
    assert [job.state for job in jobs] == ["cancelled", "cancelled"]
    assert not queue._thread.is_alive()
