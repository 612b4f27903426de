"""Networks: numbers and strings in, never an option dictionary. None of them needs BasicSR."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, get_type_hints

from semanir_arch.utils.errors import InputError
from semanir_arch.utils.suggestions import did_you_mean
from semanir_arch.utils.values import fault, show

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
        ValueError: If the type or an argument is unknown, or a value is not allowed; names the
            nearest, or what is.
    """
    arguments = dict(options)
    name = arguments.pop("type", None)
    if not isinstance(name, str) or name not in NETWORKS:
        raise InputError(f"network type {show(name)} is unknown{_nearest(name, NETWORKS)}")
    allowed = _arguments(NETWORKS[name])
    for argument, value in arguments.items():
        if argument not in allowed:
            near = _nearest(argument, allowed)
            raise InputError(f"{name} has no argument {show(argument)}{near}")
        problem = fault(value, allowed[argument])
        if problem is not None:
            raise InputError(f"{name}: {argument}={show(value)}; {problem}")
    return NETWORKS[name](**arguments)


@functools.cache
def _arguments(network: type[RestorationNetwork]) -> dict[str, Any]:
    """Types and ranges of the arguments of a constructor."""
    hints = get_type_hints(network.__init__, include_extras=True)
    return {name: kind for name, kind in hints.items() if name != "return"}


def _nearest(word: Any, allowed: Mapping[str, Any]) -> str:
    hint = did_you_mean(word, allowed) if isinstance(word, str) else ""
    return f"; allowed: {', '.join(allowed)}{hint}"
