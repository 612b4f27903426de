"""From a network to a graph of plain torch operations, for images of one size or of any."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram
from torch.fx.experimental import _config as tracing_settings

from semanir_arch.archs.base import KeySemanticNetwork, RestorationNetwork

__all__ = ["LARGEST_SIDE", "smallest_side", "trace"]

LARGEST_SIDE = 2**16
"""Pixels; of images that a graph with open sizes takes."""


def trace(network: RestorationNetwork, tile: int | None = None) -> ExportedProgram:
    """Record what a network does with one image.

    The key-semantic dictionary and the attention are recorded in their defining form, so that the
    graph needs nothing of this package; scores of all windows are held at once.

    Args:
        network: Network on the CPU; left in evaluation mode.
        tile: Side in pixels of the images that the graph takes; None leaves height and width open,
            from `smallest_side` on.

    Returns:
        The graph. It takes (1, in_chans, H, W), float32, and pads and crops as the network does.
    """
    network.eval().requires_grad_(False)
    backend = network.backend if isinstance(network, KeySemanticNetwork) else None
    if isinstance(network, KeySemanticNetwork):
        network.backend = "naive"
    try:
        return _record(network, tile)
    finally:
        if isinstance(network, KeySemanticNetwork) and backend is not None:
            network.backend = backend


def smallest_side(network: RestorationNetwork, *, checked: bool = True) -> int:
    """Pixels of the smallest image that a traced graph with open sizes takes.

    Args:
        network: The network.
        checked: Whether what runs the graph checks sizes, as torch does. A side that is a single
            block of `size_multiple` pixels is a case of its own for torch's tracing, and not
            covered; it also is one for windows that straddle others.
    """
    straddles = any(getattr(module, "shift", 0) for module in network.modules())
    if checked or (straddles and isinstance(network, KeySemanticNetwork)):
        return network.size_multiple + 1
    return 1


def _record(network: RestorationNetwork, tile: int | None) -> ExportedProgram:
    # with a different number of blocks on each side, so that none is taken for the other
    step = network.size_multiple
    height, width = (tile, tile) if tile is not None else (3 * step - 1, 4 * step - 1)
    open_sides: dict[int, Any] | None = None
    if tile is None:
        least = smallest_side(network)
        open_sides = {
            2: Dim("height", min=least, max=LARGEST_SIDE),
            3: Dim("width", min=least, max=LARGEST_SIDE),
        }
    example: Tensor = torch.rand(1, network.in_chans, height, width)
    settings = tracing_settings.patch(backed_size_oblivious=True)  # type: ignore[attr-defined]
    # with gradients on, the graph would hold where they are switched off, and not load again
    with warnings.catch_warnings(), torch.no_grad(), settings:
        # torch's own, about its own
        warnings.simplefilter("ignore")
        # torch cannot prove all that follows from sides being whole windows: what is left is
        # checked when the graph runs
        return torch.export.export(
            network,
            (example,),
            dynamic_shapes={"x": open_sides},
            prefer_deferred_runtime_asserts_over_guards=True,
        )
