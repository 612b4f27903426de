"""Independent work on as many cores as torch may use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

__all__ = ["map_in_threads"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_threads(function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """Results of a function in the order of its arguments.

    The work should be in NumPy, OpenCV or torch, which let other threads run meanwhile. Loading
    processes have one thread each, and use no other.

    Args:
        function: Function called in several threads at once.
        items: Arguments of the function.
    """
    threads = min(torch.get_num_threads(), len(items))
    if threads < 2:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(function, items)
