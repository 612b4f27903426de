"""Random states follow from seed and position."""

from __future__ import annotations

import random
from functools import partial

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from semanir_arch import host
from semanir_arch.runs.batch_schedule import BatchSchedule, Stage
from semanir_arch.training.random_states import (
    Purpose,
    derive_seed,
    preserved_states,
    seed_process,
    seed_sample,
)
from semanir_arch.training.sampling import BatchStream, SeededDataset


class Numbers(Dataset):
    """One number from each of the generators that datasets use."""

    opt = {"name": "numbers"}  # noqa: RUF012 - where BasicSR looks for it

    def __len__(self):
        return 4

    def __getitem__(self, index):
        drawn = [random.random(), np.random.rand(), float(torch.rand(()))]  # noqa: NPY002
        return torch.tensor([index, *drawn], dtype=torch.float64)


def passes_of_basicsr():
    seed = partial(host.load("basicsr.data").worker_init_fn, num_workers=1, rank=0, seed=1)
    loader = DataLoader(Numbers(), num_workers=1, worker_init_fn=seed)
    return [torch.cat([*loader])[:, 1:3] for _ in range(2)]


def stream(workers=0, seed=1, done=0):
    schedule = BatchSchedule((Stage(4, batch=2),), total_iter=4, images=4)
    loader = DataLoader(
        SeededDataset(Numbers(), seed),
        batch_sampler=BatchStream(schedule, seed, done),
        num_workers=workers,
    )
    return torch.cat([*loader])


def test_basicsr_repeats_its_random_numbers_in_every_pass_and_we_never_do():
    first, second = passes_of_basicsr()
    assert torch.equal(first, second)

    drawn = stream(workers=1)[:, 1:]
    assert len(drawn.flatten().unique()) == drawn.numel()


@pytest.mark.parametrize("workers", [1, 2])
def test_loading_processes_change_nothing(workers):
    assert torch.equal(stream(workers), stream())


def test_a_resumed_stream_continues_with_the_same_numbers():
    assert torch.equal(stream(done=3), stream()[6:])


def test_the_seed_changes_everything():
    assert not torch.isin(stream(seed=2)[:, 1:], stream(seed=1)[:, 1:]).any()


def test_loading_in_the_main_process_leaves_its_states_alone():
    def draw():
        return random.random(), np.random.rand(), float(torch.rand(()))  # noqa: NPY002

    seed_process(5, Purpose.STEP, 1)
    expected = draw()
    seed_process(5, Purpose.STEP, 1)
    with preserved_states():
        seed_sample(5, 1)
        inside = draw()
    assert draw() == expected
    assert inside != expected


def fail_in_a_sample():
    with preserved_states():
        seed_sample(1, 2)
        raise ValueError("unreadable")


def test_an_error_brings_the_states_back_too():
    before = torch.get_rng_state()
    with pytest.raises(ValueError, match="unreadable"):
        fail_in_a_sample()
    assert torch.equal(torch.get_rng_state(), before)


def test_places_in_a_stream_and_streams_have_seeds_of_their_own():
    seeds = {
        derive_seed(seed, purpose, position, rank)
        for seed in (0, 1, -1)
        for purpose in Purpose
        for position in range(50)
        for rank in range(3)
    }
    assert len(seeds) == 3 * len(Purpose) * 50 * 3
    assert all(0 <= seed < 2**64 for seed in seeds)
