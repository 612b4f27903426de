"""SIGINT and SIGTERM end a training after the iteration they arrive in, and a test at once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import torch

__all__ = ["StopRequest", "Stopped", "catch_signals", "ignore_signals", "raise_signals"]

_CAUGHT = (signal.SIGINT, signal.SIGTERM)


class Stopped(BaseException):
    """A signal that ends a test.

    Attributes:
        signal: Signal that was received.
    """

    def __init__(self, received: signal.Signals) -> None:
        super().__init__(received.name)
        self.signal = received


class StopRequest:
    """Whether a signal has asked this process to stop.

    Attributes:
        signal: The first signal that came, or None.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def agreed(self) -> signal.Signals | None:
        """The signal that came to any of the processes; all must call it and get the same."""
        mine = int(self.signal or 0)
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            device = "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"
            number = torch.tensor(mine, device=device)
            torch.distributed.all_reduce(number, torch.distributed.ReduceOp.MAX)
            mine = int(number)
        return signal.Signals(mine) if mine else None

    def _receive(self, number: int, _: FrameType | None) -> None:
        if self.signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = signal.Signals(number)


@contextmanager
def catch_signals() -> Iterator[StopRequest]:
    """Note the signals instead of dying from them; a second Ctrl-C ends the process at once."""
    request = StopRequest()
    former = {caught: signal.signal(caught, request._receive) for caught in _CAUGHT}
    try:
        yield request
    finally:
        for caught, handler in former.items():
            signal.signal(caught, handler)


@contextmanager
def raise_signals() -> Iterator[None]:
    """Leave the block at a signal.

    Raises:
        Stopped: A signal has come.
    """

    def stop(number: int, _: FrameType | None) -> None:
        raise Stopped(signal.Signals(number))

    former = {caught: signal.signal(caught, stop) for caught in _CAUGHT}
    try:
        yield
    except KeyboardInterrupt as error:
        raise Stopped(signal.SIGINT) from error
    finally:
        for caught, handler in former.items():
            signal.signal(caught, handler)


def ignore_signals(_: int) -> None:
    """Let the main process alone decide; called in every loading process.

    Ctrl-C and most job schedulers signal all processes. A loading process that died from it would
    end the training in the middle of an iteration.
    """
    for caught in _CAUGHT:
        signal.signal(caught, signal.SIG_IGN)
