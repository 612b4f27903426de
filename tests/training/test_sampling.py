"""Which samples every step takes."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch.utils.data import Dataset

from semanir_arch import host
from semanir_arch.runs.batch_schedule import BatchSchedule, Stage, read_schedule, read_stages
from semanir_arch.training.sampling import BatchStream, Sample, SeededDataset
from semanir_arch.utils.options import OptionError
from tests.each import each

BLOCK = {"name": "train", "batch_size_per_gpu": 4}


def stream(images=10, batch=4, iters=50, seed=1, done=0, rank=0, processes=1, offset=0):
    schedule = BatchSchedule((Stage(iters, batch),), iters, images, offset=offset)
    return [*BatchStream(schedule, seed, done, rank, processes)]


def flat(batches):
    return [sample for batch in batches for sample in batch]


def test_basicsr_replays_its_data_whatever_the_seed_and_after_a_resume():
    """A run that is stopped in pass 3 begins pass 3 again; and the seed is the pass alone."""
    sampler = host.load("basicsr.data.data_sampler").EnlargedSampler(range(10), 1, 0)
    sampler.set_epoch(3)
    assert [*sampler] == [*sampler]

    indices = [sample.index for sample in flat(stream())]
    assert indices != [sample.index for sample in flat(stream(seed=2))]
    assert flat(stream(done=7)) == flat(stream())[28:]


def test_every_pass_shows_every_image_once_in_a_new_order():
    samples = flat(stream(images=10, batch=4, iters=50))
    assert [sample.position for sample in samples] == list(range(200))
    passes = [[s.index for s in samples[start : start + 10]] for start in range(0, 200, 10)]
    assert all(sorted(order) == list(range(10)) for order in passes)
    assert len({tuple(order) for order in passes}) == 20


@pytest.mark.parametrize(("images", "batch"), [(3, 8), (1, 5), (8, 8), (7, 2)])
def test_a_batch_is_full_however_small_the_set(images, batch):
    batches = stream(images=images, batch=batch, iters=9)
    assert [len(b) for b in batches] == [batch] * 9
    counts = Counter(sample.index for sample in flat(batches))
    assert max(counts.values()) - min(counts.values()) <= 1


@pytest.mark.parametrize("processes", [2, 3, 6])
def test_processes_share_the_batch_of_one(processes):
    alone = stream(batch=12, iters=5)
    shares = [stream(batch=12, iters=5, rank=r, processes=processes) for r in range(processes)]
    together = [flat(batch) for batch in zip(*shares, strict=True)]
    assert together == alone


def test_the_length_is_what_is_left():
    schedule = BatchSchedule((Stage(50, 4),), 50, 10)
    assert len(BatchStream(schedule, 1)) == 50
    assert len(BatchStream(schedule, 1, done=49)) == 1
    assert len(BatchStream(schedule, 1, done=60)) == 0


def test_an_offset_moves_the_stream():
    assert flat(stream(offset=8)) == flat(stream(iters=52))[8:]


STAGES = [
    {"iters": 3, "patch_size": 8, "batch_size_per_gpu": 4},
    {"iters": 2, "patch_size": 16, "batch_size_per_gpu": 2},
    {"iters": 4, "patch_size": 32, "batch_size_per_gpu": 1},
]


@each("done", range(10))
def test_progressive_stages_change_patch_and_batch_also_after_a_resume(done):
    schedule = read_schedule(BLOCK | {"progressive": STAGES}, 9, images=5, processes=2)
    batches = [*BatchStream(schedule, 1, done)]
    sizes = [(8, 8)] * 3 + [(16, 4)] * 2 + [(32, 2)] * 4
    assert [(b[0].patch_size, len(b)) for b in batches] == sizes[done:]
    everything = flat(BatchStream(schedule, 1))
    assert [s.position for s in everything] == list(range(schedule.consumed(9)))
    assert flat(batches) == everything[schedule.consumed(done) :]


def test_stages_begin_where_they_should():
    schedule = read_schedule(BLOCK | {"progressive": STAGES}, 9, images=5, processes=1)
    assert [i for i in range(1, 10) if schedule.starts_stage(i)] == [1, 4, 6]


def test_passes_are_counted_in_enlarged_ones():
    """`dataset_enlarge_ratio` says what is counted as a pass, and changes nothing else."""
    schedule = read_schedule(BLOCK | {"dataset_enlarge_ratio": 3}, 100, images=10, processes=1)
    assert [schedule.epoch(iteration) for iteration in (1, 8, 9, 16)] == [0, 0, 1, 2]
    assert schedule.passes() == pytest.approx(400 / 30)
    assert [*BatchStream(schedule, 1)] == stream(iters=100)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"progressive": STAGES}, "the stages have 9 iterations, but train:total_iter is 10"),
        ({"progressive": [{"iters": 9.5}]}, "iters: received 9.5; expected a positive integer"),
        ({"progressive": [{"patch_size": 8}]}, "expected iters and, where they change"),
        ({"progressive": [{"iters": 10, "size": 8}]}, "expected iters and, where they change"),
        ({"progressive": [{"iters": 10, "patch_size": 0}]}, "patch_size: received 0"),
        ({"progressive": {"iters": 10}}, "expected a list of stages"),
        ({"batch_size_per_gpu": 0}, "batch_size_per_gpu: received 0"),
        ({"batch_size_per_gpu": None}, "batch_size_per_gpu: received None"),
        ({"batch_size_per_gpu": True}, "batch_size_per_gpu: received True"),
    ],
)
def test_stages_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(OptionError, match=message):
        read_stages(BLOCK | changes, total_iter=10, processes=1)


def test_a_set_smaller_than_a_batch_is_refused_where_repeats_are_forbidden():
    forbidden = BLOCK | {"allow_repeats": False}
    read_schedule(forbidden, 5, images=8, processes=2)
    with pytest.raises(OptionError, match="7 images cannot fill a batch of 8 without repeating"):
        read_schedule(forbidden, 5, images=7, processes=2)


class Patches(Dataset):
    """Its patches have the size that it holds."""

    def __init__(self, **attributes):
        self.opt = {"name": "patches"}
        vars(self).update(attributes)

    def __len__(self):
        return 1

    def __getitem__(self, _):
        return torch.zeros(self.opt.get("gt_size") or self.patch_size)


@pytest.mark.parametrize("attributes", [{"patch_size": 4}, {"opt": {"gt_size": 4}}])
def test_the_patch_size_reaches_datasets_of_both_kinds(attributes):
    dataset = SeededDataset(Patches(**attributes), 1, sets_patch_size=True)
    items = dataset.__getitems__([Sample(0, 0, size) for size in (8, 16)])
    assert [len(item) for item in items] == [8, 16]


def test_a_dataset_that_cannot_change_its_patches_is_refused():
    with pytest.raises(ValueError, match="Patches has neither patch_size nor gt_size"):
        SeededDataset(Patches(), 1, sets_patch_size=True)
    SeededDataset(Patches(), 1)
