"""Joining the processes of a run, and what they tell one another."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from datetime import timedelta

import pytest
import torch
from torch import distributed

from semanir_arch.utils import processes
from tests.processes import environment, joined, needs_fork, run_processes


def test_what_torchrun_tells_is_understood():
    variables = environment(rank=1, count=2, port=1)
    assert processes.started_by_torchrun(variables)
    assert not processes.started_by_torchrun({"SLURM_PROCID": "1"})
    assert processes.restarts(variables) == 0
    assert processes.restarts(variables | {"TORCHELASTIC_RESTART_COUNT": "2"}) == 2


def test_a_process_that_torchrun_did_not_start_is_told_how():
    with pytest.raises(ValueError, match="start with torchrun --nproc_per_node=N"):
        processes.join({})


def test_a_process_without_a_gpu_of_its_own_is_told(monkeypatch):
    """It counts on its own computer: the others may have more GPUs, or fewer."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    variables = environment(rank=5, count=8, port=1) | {"LOCAL_RANK": "2"}
    with pytest.raises(ValueError, match="process 2 has no GPU of its own: 2 found"):
        processes.join(variables)


def test_one_process_answers_for_itself():
    assert (processes.rank(), processes.world_size()) == (0, 1)
    assert processes.gather("a") == ["a"]
    assert processes.broadcast("a") == "a"
    processes.wait_for_all()
    processes.leave()


def talk(rank):
    return processes.world_size(), processes.gather(rank * 10), processes.broadcast(rank + 5)


@needs_fork
def test_all_hear_the_same():
    assert run_processes(3, joined, talk) == [(3, [0, 10, 20], 5)] * 3
    assert not processes.have_joined()


def wait(rank, patiently, has_failed):
    if rank == 1:
        time.sleep(4.5)
    if patiently:
        processes.wait_for_all()
        return "waited"
    if rank == 1:
        # however busy the computer is, the other one waits for longer than torch's limit
        has_failed.wait()
    with pytest.raises(RuntimeError) as error:
        distributed.barrier()
    has_failed.set()
    return processes.lost_connection(error.value)


def join_hastily(rank, patiently, has_failed):
    """Join where torch's own limit is some seconds."""
    distributed.distributed_c10d.default_pg_timeout = timedelta(seconds=3)
    return joined(rank, wait, patiently, has_failed)


@needs_fork
def test_waiting_for_a_long_validation_does_not_time_out():
    """As it does where a collective of the training waits for it, in BasicSR."""
    has_failed = multiprocessing.get_context("fork").Event()
    assert run_processes(2, join_hastily, True, has_failed) == ["waited", "waited"]
    assert run_processes(2, join_hastily, False, has_failed)[0] is True


def vanish(rank):
    if rank == 1:
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGKILL)
    start = time.monotonic()
    with pytest.raises(RuntimeError) as error:
        processes.wait_for_all()
    return processes.lost_connection(error.value), time.monotonic() - start


@needs_fork
def test_a_killed_process_is_noticed_at_once():
    first, killed, last = run_processes(3, joined, vanish)
    assert isinstance(killed, EOFError)
    for noticed, seconds in (first, last):
        assert noticed
        assert seconds < processes.PATIENCE.total_seconds() / 100


def test_other_errors_are_not_taken_for_a_lost_connection():
    assert not processes.lost_connection(RuntimeError("Connection closed by peer"))
    assert not processes.lost_connection(ValueError("x"))


def follow(folder):
    """What a process of torchrun's does: SIGTERM lets it finish in order."""
    signal.signal(signal.SIGTERM, lambda *_: ((folder / "in order").touch(), os._exit(0)))
    processes.end_with_parent(signal.SIGTERM)
    (folder / "begun").touch()
    time.sleep(600)


@needs_fork
def test_a_process_whose_launcher_was_killed_is_told_to_stop(tmp_path):
    launcher = os.fork()
    if launcher == 0:
        if os.fork() == 0:
            follow(tmp_path)
        time.sleep(600)
        os._exit(1)
    try:
        wait_for(tmp_path / "begun")
    finally:
        os.kill(launcher, signal.SIGKILL)
        os.waitpid(launcher, 0)
    wait_for(tmp_path / "in order")


def wait_for(path):
    """Wait for a file, for as long as a computer may be busy."""
    deadline = time.monotonic() + 300
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.02)


@pytest.mark.parametrize("launcher", ["torchrun", "another"])
def test_only_torchrun_is_followed(monkeypatch, launcher):
    followed = []
    monkeypatch.setattr(processes, "end_with_parent", followed.append)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    variables = environment(rank=5, count=8, port=1)
    if launcher == "torchrun":
        variables["TORCHELASTIC_RUN_ID"] = "none"
    with pytest.raises(ValueError, match="has no GPU of its own"):
        processes.join(variables)
    assert followed == ([signal.SIGTERM] if launcher == "torchrun" else [])
