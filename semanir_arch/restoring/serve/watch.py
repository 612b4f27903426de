"""Progress of a network on one image, and a way to stop it in the middle."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from types import TracebackType

from torch import nn
from torch.utils.hooks import RemovableHandle

__all__ = ["StoppedError", "Watch"]


class StoppedError(Exception):
    """The image is not wanted any more."""


class Watch:
    """Counts the layers that a network has run, while it is open.

    The network computes what it always does: hooks count, and raise `StoppedError` when asked to.

    Args:
        network: Network to watch.
        report: Function that gets the finished share, 0 to 1, growing.
        stop: Once it is set, the network stops before its next layer.
        passes: Number of times the network runs on a tile.
        tile: Part of the image that a tile is, until the first is finished.
    """

    def __init__(
        self,
        network: nn.Module,
        report: Callable[[float], None],
        stop: Event,
        *,
        passes: int = 1,
        tile: float = 1.0,
    ) -> None:
        self._report = report
        self._stop = stop
        self._leaves = [module for module in network.modules() if not any(module.children())]
        self._handles: list[RemovableHandle] = []
        self._passes = passes
        self._tile = tile
        self._layers = 0
        self._finished = 0.0
        self._said = 0.0

    def __enter__(self) -> Watch:
        self._handles = [leaf.register_forward_pre_hook(self._count) for leaf in self._leaves]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for handle in self._handles:
            handle.remove()

    def advance(self, share: float) -> None:
        """Say which part is finished, after each tile.

        Raises:
            StoppedError: The image is not wanted any more.
        """
        if self._stop.is_set():
            raise StoppedError
        self._finished, self._layers = share, 0
        if share > 0:
            # tiles are alike: the first tells how many there are
            self._tile = min(self._tile, share)
        self._say(share)

    def _count(self, *_: object) -> None:
        if self._stop.is_set():
            raise StoppedError
        self._layers += 1
        within = self._layers / (self._passes * len(self._leaves))
        # what a layer runs more often than once is not counted before: wait for the tile itself
        self._say(self._finished + min(within, 0.99) * self._tile)

    def _say(self, part: float) -> None:
        self._said = min(max(part, self._said), 1.0)
        self._report(self._said)
