from __future__ import annotations

import threading

import pytest
import torch

from semanir_arch.utils.parallel import map_in_threads


@pytest.fixture(params=[1, 3])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_results_keep_the_order(threads):
    assert list(map_in_threads(lambda x: x * x, range(20))) == [x * x for x in range(20)]


def test_no_more_threads_work_than_torch_may_use(threads):
    names = set(map_in_threads(lambda _: threading.current_thread().name, range(50)))
    assert len(names) <= threads
    assert threads > 1 or names == {threading.current_thread().name}


def test_errors_reach_the_caller(threads):
    def fail(number):
        raise ValueError(f"item {number}")

    with pytest.raises(ValueError, match="item 0"):
        list(map_in_threads(fail, range(3)))
