"""From options to batches and loading processes."""

from __future__ import annotations

import logging
import os
import signal

import pytest
import torch
from torch.utils.data import DataLoader

from semanir_arch.runs.run import Run
from semanir_arch.training import loaders
from semanir_arch.training.loaders import (
    LoadingError,
    build_training_set,
    build_validation_loaders,
    open_batches,
)
from semanir_arch.utils.options import OptionError
from tests.training.trainings import PLAIN, merge, prepare


@pytest.fixture
def options(tmp_path, monkeypatch):
    """As BasicSR parses them."""
    monkeypatch.chdir(prepare(tmp_path, PLAIN))
    with Run(tmp_path, "run.yml", PLAIN).opened(is_train=True) as parsed:
        yield parsed


@pytest.fixture
def built(monkeypatch):
    """Arguments of every loader that is built."""
    seen = []

    class Recorder(DataLoader):
        def __init__(self, *arguments, **keywords):
            seen.append(keywords)
            super().__init__(*arguments, **keywords)

    monkeypatch.setattr(loaders, "DataLoader", Recorder)
    return seen


def opened(options, **block):
    options = merge(options, {"datasets": {"train": block}})
    return open_batches(*build_training_set(options), options, done=0)


def test_batches_are_those_of_the_dataset(options):
    with opened(options) as batches:
        batch = next(batches)
    assert batch["lq"].shape == (2, 3, 8, 8)
    assert batch["gt"].shape == (2, 3, 16, 16)
    assert len(batch["lq_path"]) == 2


def test_gpus_of_one_process_multiply_batch_and_loading_processes(options, built):
    """As in BasicSR, where DataParallel divides the batch."""
    options |= {"num_gpu": 2}
    with opened(options, num_worker_per_gpu=1) as batches:
        assert len(next(batches)["lq"]) == 4
    assert built[0]["num_workers"] == 2


def test_processes_have_the_batch_and_the_loading_processes_of_one_gpu(options, built):
    options |= {"num_gpu": 2, "dist": True, "world_size": 2, "rank": 1}
    with opened(options, num_worker_per_gpu=1) as batches:
        assert len(next(batches)["lq"]) == 2
    assert built[0]["num_workers"] == 1


@pytest.mark.parametrize(
    ("block", "factor"),
    [
        ({}, None),
        ({"num_worker_per_gpu": 1}, 2),
        ({"num_worker_per_gpu": 1, "prefetch_mode": "cpu", "num_prefetch_queue": 4}, 4),
        ({"num_worker_per_gpu": 1, "prefetch_mode": "cpu", "num_prefetch_queue": 1}, 2),
    ],
)
def test_loading_processes_prefetch(options, built, block, factor):
    with opened(options, **block):
        pass
    assert built[0]["prefetch_factor"] == factor


def test_loading_processes_live_as_long_as_the_training(options):
    """BasicSR starts them again in every pass."""
    with opened(options, num_worker_per_gpu=1) as batches:
        (worker,) = batches._workers
        for _ in range(10):
            next(batches)
        assert worker.is_alive()
    assert not worker.is_alive()


def test_loading_processes_do_not_hear_signals_that_are_meant_for_the_run(options):
    with opened(options, num_worker_per_gpu=1) as batches:
        next(batches)
        (worker,) = batches._workers
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(worker.pid, number)
        for _ in range(5):
            next(batches)


def test_a_killed_loading_process_is_told_as_such(options):
    with pytest.raises(LoadingError, match="loading process was killed"):
        wait_for_batches_of_a_dead_process(options)


def wait_for_batches_of_a_dead_process(options):
    with opened(options, num_worker_per_gpu=1) as batches:
        next(batches)
        batches._workers[0].kill()
        for _ in batches:
            pass


def test_other_errors_pass(options):
    with pytest.raises(RuntimeError, match="out of memory"), opened(options):
        raise RuntimeError("out of memory")


def test_a_training_without_training_set_is_refused(options):
    del options["datasets"]["train"]
    with pytest.raises(OptionError, match="datasets:train: missing"):
        build_training_set(options)


def test_every_validation_set_gets_a_loader(options):
    options["datasets"]["val_2"] = options["datasets"]["val"] | {"name": "b"}
    built = build_validation_loaders(options, logging.getLogger("test"))
    assert [loader.dataset.opt["name"] for loader in built] == ["a", "b"]
    assert [loader.batch_size for loader in built] == [1, 1]


@pytest.mark.gpu
def test_the_next_batch_is_copied_to_the_gpu_ahead(options):
    options |= {"num_gpu": 1}
    with opened(options) as plain:
        expected = next(plain)
    with opened(options, prefetch_mode="cuda") as batches:
        batch = next(batches)
    assert batch["lq"].is_cuda
    torch.testing.assert_close(batch["lq"].cpu(), expected["lq"])
    assert batch["lq_path"] == expected["lq_path"]
