"""Several processes on this computer, as torchrun starts them but in a moment.

They are forked from the test, so that torch and BasicSR are imported already.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import pytest
import torch

from semanir_arch.utils import processes

needs_fork = pytest.mark.skipif(
    torch.cuda.is_available(), reason="a process that has used CUDA cannot be forked"
)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def environment(rank: int, count: int, port: int) -> dict[str, str]:
    """What torchrun tells a process on the only computer of a run."""
    return {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }


def run_processes(
    count: int, function: Callable[..., Any], *arguments: Any, timeout: float = 600
) -> list[Any]:
    """Call a function in several processes that can find one another, and wait for all.

    Args:
        count: Number of processes.
        function: Gets the process's number, then `arguments`.
        arguments: The same for all.
        timeout: Seconds after which the test fails and the processes are killed.

    Returns:
        What the processes returned, in order; an exception where one was raised.
    """
    port, context = free_port(), multiprocessing.get_context("fork")
    started, pipes = [], []
    for rank in range(count):
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(
            target=_run, args=(sender, environment(rank, count, port), rank, function, arguments)
        )
        process.start()
        sender.close()
        started.append(process)
        pipes.append(receiver)
    deadline = time.monotonic() + timeout
    try:
        return [_receive(pipe, deadline) for pipe in pipes]
    finally:
        for process in started:
            process.join(timeout=max(0.0, deadline - time.monotonic()))
            process.kill()


def joined(rank: int, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function between `processes.join` and `processes.leave`; for `run_processes`."""
    processes.join(dict(os.environ))
    try:
        return function(rank, *arguments)
    finally:
        processes.leave()


def _run(
    sender: Connection,
    variables: dict[str, str],
    rank: int,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
) -> None:
    os.environ.update(variables)
    # The threads of OpenMP do not survive a fork.
    torch.set_num_threads(1)
    try:
        sender.send(function(rank, *arguments))
    except BaseException as error:  # noqa: BLE001 - the test judges it
        sender.send(error)


def _receive(pipe: Connection, deadline: float) -> Any:
    if not pipe.poll(max(0.0, deadline - time.monotonic())):
        return TimeoutError("the process did not end")
    try:
        return pipe.recv()
    except EOFError:
        return EOFError("the process was killed")
