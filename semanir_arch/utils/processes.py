"""The processes of one run: how they join, and what they tell one another.

A run of one process joins nothing; every function then answers for it alone.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import threading
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import torch
from torch import distributed
from torch.distributed.rendezvous import rendezvous

from semanir_arch.utils.errors import InputError

__all__ = [
    "PATIENCE",
    "are_joined",
    "broadcast",
    "complete_join",
    "end_with_parent",
    "gather",
    "have_joined",
    "join",
    "leave",
    "lost_connection",
    "rank",
    "restarts",
    "started_by_torchrun",
    "wait_for_all",
    "world_size",
]

PATIENCE = timedelta(hours=24)
"""Time that a process waits for others that validate or write files.

Torch's own limits (10 minutes between GPUs, 30 minutes otherwise) are made for training steps. A
process that ended is noticed at once, because its connections close; only a computer that vanished
without a word is waited for.
"""

_LOOK_EVERY = 1.0
"""Seconds between two looks at whether the parent lives."""

_LOST = re.compile(
    r"gloo|Connection (?:closed|reset|refused)|Broken pipe|Socket|NCCL|remote process|DistStore"
    r"|Timed out waiting",
    re.IGNORECASE,
)


def started_by_torchrun(environment: Mapping[str, str]) -> bool:
    """Whether the variables are there that torchrun sets.

    Args:
        environment: Variables of the process.
    """
    return {"RANK", "WORLD_SIZE", "MASTER_ADDR"} <= environment.keys()


def restarts(environment: Mapping[str, str]) -> int:
    """Number of times torchrun (`--max-restarts`) has restarted the run after a failure.

    Args:
        environment: Variables of the process.
    """
    return int(environment.get("TORCHELASTIC_RESTART_COUNT", "0"))


def join(environment: Mapping[str, str], uses_gpu: bool = True) -> None:
    """Join the processes that torchrun started: NCCL between GPUs, gloo without them.

    Args:
        environment: Variables of the process.
        uses_gpu: Whether to take a GPU, where there are any.

    Raises:
        ValueError: The process was not started by torchrun, or has no GPU of its own.
    """
    if not started_by_torchrun(environment):
        raise InputError(
            "--launcher pytorch: start with torchrun --nproc_per_node=N train.py -opt FILE"
        )
    if "TORCHELASTIC_RUN_ID" in environment:
        # torchrun itself; other launchers may end while their processes go on
        end_with_parent(signal.SIGTERM)
    gpus = torch.cuda.device_count() if uses_gpu else 0
    local = int(environment.get("LOCAL_RANK", environment["RANK"]))
    if gpus:
        if local >= gpus:
            raise InputError(
                f"process {local} has no GPU of its own: {gpus} found; lower --nproc_per_node"
            )
        torch.cuda.set_device(local)
        if multiprocessing.get_start_method(allow_none=True) is None:
            # A forked loading process must not inherit CUDA.
            multiprocessing.set_start_method("spawn")
    nccl = gpus > 0 and distributed.is_nccl_available()
    store, number, count = next(rendezvous("env://"))
    distributed.init_process_group(
        # Both, because processes also exchange what is not on a GPU.
        backend="cpu:gloo,cuda:nccl" if nccl else "gloo",
        # torchrun's store outlives a restart, and holds the addresses of the processes before it.
        store=distributed.PrefixStore(f"attempt_{restarts(environment)}", store),
        rank=number,
        world_size=count,
    )
    complete_join()


def end_with_parent(received: signal.Signals | None = None) -> None:
    """Let this process end when the one that started it has ended, however it did.

    A process that waits for work from one that was killed would wait for ever.

    Args:
        received: Signal that this process then gets, so that it may finish in order; None to end it
            at once.
    """
    parent = os.getppid()
    threading.Thread(target=_follow, args=(parent, received), daemon=True).start()


def _follow(parent: int, received: signal.Signals | None) -> None:
    starter = multiprocessing.parent_process()
    while True:
        if starter is None:
            time.sleep(_LOOK_EVERY)
        else:
            # notices it at once, unless processes that were started later hold the connection too
            starter.join(_LOOK_EVERY)
        # Windows keeps the number of a parent that is gone
        is_alone = os.name != "nt" and os.getppid() != parent
        if is_alone or (starter is not None and not starter.is_alive()):
            break
    if received is None:
        os._exit(1)
    os.kill(os.getpid(), received)


def complete_join() -> None:
    """Follow up a process group that others have initialized; every process must call it."""
    _Membership.patient_group = distributed.new_group(backend="gloo", timeout=PATIENCE)
    _Membership.has_begun = True


def leave() -> None:
    """End the connections, if there are any."""
    _Membership.patient_group = None
    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()


def have_joined() -> bool:
    """Whether `join` has succeeded, also if the connections have ended since."""
    return _Membership.has_begun


def are_joined() -> bool:
    """Whether there are connections to other processes now."""
    return distributed.is_available() and distributed.is_initialized()


def rank() -> int:
    """Number of this process, counted from 0."""
    return distributed.get_rank() if are_joined() else 0


def world_size() -> int:
    """Number of processes."""
    return distributed.get_world_size() if are_joined() else 1


def gather(value: Any) -> list[Any]:
    """Collect the value of every process, in the order of their numbers, in all of them.

    Args:
        value: Value that can be pickled; small, because all of it goes to every process.
    """
    if not are_joined():
        return [value]
    values: list[Any] = [None] * world_size()
    distributed.all_gather_object(values, value, group=_Membership.patient_group)
    return values


def broadcast(value: Any) -> Any:
    """Send the value of the first process to all.

    Args:
        value: Value that can be pickled; ignored in all processes but the first.
    """
    if not are_joined():
        return value
    values = [value]
    distributed.broadcast_object_list(values, src=0, group=_Membership.patient_group)
    return values[0]


def wait_for_all() -> None:
    """Continue when every process has come this far."""
    if are_joined():
        distributed.barrier(group=_Membership.patient_group)


def lost_connection(error: BaseException) -> bool:
    """Whether an error only says that another process of the run has ended.

    Args:
        error: Error that was raised; gloo and NCCL raise RuntimeError for everything.
    """
    return have_joined() and isinstance(error, RuntimeError) and bool(_LOST.search(str(error)))


class _Membership:
    """State between `join` and `leave`.

    Attributes:
        patient_group: All processes, waiting for one another as long as `PATIENCE`.
        has_begun: Whether this process has joined at some time.
    """

    patient_group: Any = None
    has_begun = False
