"""Loaders need the same memory after any number of images as after the first."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest

from semanir_arch.data import PairedRestorationDataset
from semanir_arch.data.sources.lmdb_store import write_lmdb
from semanir_arch.data.sources.name_table import NameTable
from tests.helpers import make_image

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

MEGABYTE = 2**20


def memory(key):
    """A line of Linux's account of this process's memory, in bytes."""
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return 1024 * int(line.split()[1])
    raise KeyError(key)


def growth_in_fork(names):
    """Memory in bytes that a forked process takes for itself while it uses every name once."""
    order = list(range(len(names)))
    random.Random(0).shuffle(order)
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        before = memory("Private_Dirty")
        for index in range(len(names)):
            len(names[index])
        os.write(writer, str(memory("Private_Dirty") - before).encode())
        os._exit(0)
    os.waitpid(process, 0)
    grown = int(os.read(reader, 100))
    os.close(reader)
    os.close(writer)
    return grown


def test_workers_do_not_copy_the_index():
    names = [f"some/folder/of/images/{number:08d}.png" for number in range(300_000)]
    table = NameTable(names)
    assert growth_in_fork(table) < 2 * MEGABYTE
    # the way of BasicSR: shows that the measurement would notice
    assert growth_in_fork(names) > 20 * MEGABYTE


def test_ten_thousand_samples_leave_nothing_behind(tmp_path):
    pytest.importorskip("lmdb")
    for part in ("lq", "gt"):
        items = [(f"{seed}", make_image((96, 96, 3), seed=seed)) for seed in range(16)]
        write_lmdb(tmp_path / f"{part}.lmdb", items)
    dataset = PairedRestorationDataset(
        {
            "phase": "train",
            "patch_size": 64,
            "dataroot_lq": str(tmp_path / "lq.lmdb"),
            "dataroot_gt": str(tmp_path / "gt.lmdb"),
        }
    )
    for index in range(500):
        dataset[index % 16]
    before = memory("Rss")
    for index in range(10_000):
        dataset[index % 16]
    assert memory("Rss") - before < 3 * MEGABYTE
