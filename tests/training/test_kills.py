"""Killed at any moment and started again, a training gives the same bits as one left alone."""

from __future__ import annotations

import itertools
import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from multiprocessing import util
from pathlib import Path

import pytest

from tests.training.trainings import (
    OURS,
    PLAIN,
    Process,
    assert_same,
    merge,
    prepare,
    result,
    train,
    warm_up,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="SIGKILL"),
]

TWO_WORKERS = {"datasets": {"train": {"num_worker_per_gpu": 2}}}

EVERYTHING = {
    "train": {
        "scheduler": {
            "type": "CosineAnnealingRestartLR",
            "periods": [10, 14],
            "restart_weights": [1, 0.5],
            "eta_min": 1e-5,
        },
        "accumulate": 2,
        "clip_grad_norm": 0.5,
        "mixing_augs": {"mixup": True},
        "freeze": {"except": ["last"], "iters": 7},
    },
    "precision": "bf16",
    "datasets": {
        "train": {
            "progressive": [
                {"iters": 9, "patch_size": 8, "batch_size_per_gpu": 4},
                {"iters": 15, "patch_size": 16, "batch_size_per_gpu": 2},
            ]
        }
    },
    "logger": {"keep_states": 2, "keep_best": {"dataset": "a", "metric": "psnr"}},
}

VARIANTS = {
    "ours": OURS,
    "ours, two loading processes": merge(OURS, TWO_WORKERS),
    "ours, progressive, mixup, frozen at first, bf16": merge(merge(OURS, EVERYTHING), TWO_WORKERS),
    "BasicSR's model, dataset and options": merge(PLAIN, TWO_WORKERS),
}
KILLS, KILLS_FOR_THE_TABLE = 2, 6
"""Of each variant; those between and during the steps of saving are tried one by one below."""


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_training_killed_at_random_moments_ends_with_the_same_bits(
    variant, tmp_path, record, pytestconfig
):
    kills = KILLS_FOR_THE_TABLE if pytestconfig.getoption("--fault-table", False) else KILLS
    warm_up()
    whole = prepare(tmp_path / "whole", VARIANTS[variant])
    started = time.monotonic()
    assert train(whole, "--auto_resume") == 0
    duration = time.monotonic() - started
    expected = result(whole)
    assert sorted(expected.log) == list(range(1, 25))
    assert sorted(expected.scores) == [8, 16, 24]

    draw = random.Random(variant)
    killed = attempt = 0
    while killed < kills:
        attempt += 1
        folder = prepare(tmp_path / str(attempt), VARIANTS[variant])
        while killed < kills:
            code = Process(folder).kill_after(draw.uniform(0, duration))
            if code == 0:
                break
            assert code == -signal.SIGKILL
            killed += 1
        assert train(folder, "--auto_resume") == 0
        assert_same(result(folder), expected)
    record(1, "SIGKILL at a random moment", killed, "the same bits as without it")


def test_the_number_of_loading_processes_changes_nothing(tmp_path):
    results = []
    for workers in (0, 1, 3):
        changed = merge(OURS, {"datasets": {"train": {"num_worker_per_gpu": workers}}})
        folder = prepare(tmp_path / str(workers), changed)
        assert train(folder) == 0
        results.append(result(folder))
    assert_same(results[0], results[1])
    assert_same(results[0], results[2])


def kill_at(call=None):
    """Let the process die in the given step that changes what is on the disk.

    A file is flushed before it is renamed, and its folder after that, so the calls of fsync are
    the moments between which the disk differs; what is deleted is deleted by unlink. Without a
    number the process lives, and leaves the number of steps in steps.txt.
    """
    steps = itertools.count(1)
    fsync, unlink = os.fsync, Path.unlink

    def die_in_time():
        if next(steps) == call:
            os.kill(os.getpid(), signal.SIGKILL)

    def dying_fsync(descriptor):
        die_in_time()
        fsync(descriptor)

    def dying_unlink(path, missing_ok=False):
        if path.exists():
            die_in_time()
        unlink(path, missing_ok)

    def leave_number():
        Path("steps.txt").write_text(str(next(steps) - 1))

    os.fsync = dying_fsync
    Path.unlink = dying_unlink
    if call is None:
        util.Finalize(None, leave_number, exitpriority=1)


SHORT = {
    "train": {"total_iter": 2},
    "logger": {
        "save_checkpoint_freq": 1,
        "keep_states": 1,
        "keep_best": {"dataset": "a", "metric": "psnr"},
    },
}


def test_a_training_killed_in_any_step_of_saving_ends_with_the_same_bits(tmp_path, record):
    warm_up()
    whole = prepare(tmp_path / "whole", merge(OURS, SHORT))
    assert train(whole, "--auto_resume", fault=kill_at) == 0
    expected, steps = result(whole), int((whole / "steps.txt").read_text())

    def die_and_resume(call):
        folder = prepare(tmp_path / str(call), merge(OURS, SHORT))
        code = train(folder, "--auto_resume", fault=partial(kill_at, call))
        assert code == -signal.SIGKILL
        assert train(folder, "--auto_resume") == 0
        assert_same(result(folder), expected)
        assert not list(folder.rglob("*.tmp"))

    with ThreadPoolExecutor(max_workers=2) as pool:
        survived = list(pool.map(die_and_resume, range(1, steps + 1)))
    assert len(survived) > 25
    record(2, "SIGKILL in every single step of saving", steps, "the same bits as without it")
