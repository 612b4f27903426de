"""Networks: numbers and strings in, never an option dictionary. None of them needs BasicSR."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from semanir_arch.utils.suggestions import did_you_mean

from .base import RestorationNetwork
from .ramit_arch import RAMiT
from .restormer_arch import Restormer
from .semanir_arch import SemanIR
from .semanir_unet_arch import SemanIRUNet

__all__ = ["NETWORKS", "RAMiT", "Restormer", "SemanIR", "SemanIRUNet", "build_network"]

NETWORKS: dict[str, type[RestorationNetwork]] = {
    network.__name__: network for network in (SemanIR, SemanIRUNet, Restormer, RAMiT)
}
"""Every network by the name that option files and checkpoints use."""


def build_network(options: Mapping[str, Any]) -> RestorationNetwork:
    """Build a network from the block that option files call `network_g`.

    Args:
        options: `type`, the network's name, and arguments of its constructor.

    Returns:
        The network, with fresh weights.

    Raises:
        ValueError: If the type or an argument is unknown; names the nearest that is allowed.
    """
    arguments = dict(options)
    name = arguments.pop("type", None)
    if name not in NETWORKS:
        raise ValueError(f"network type {name!r} is unknown{_nearest(str(name), NETWORKS)}")
    allowed = inspect.signature(NETWORKS[name]).parameters
    for argument in arguments:
        if argument not in allowed:
            raise ValueError(f"{name} has no argument {argument!r}{_nearest(argument, allowed)}")
    return NETWORKS[name](**arguments)


def _nearest(word: str, allowed: Mapping[str, Any]) -> str:
    hint = did_you_mean(word, allowed)
    return f"; allowed: {', '.join(allowed)}{hint}"
