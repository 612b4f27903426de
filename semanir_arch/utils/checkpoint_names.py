"""Names of weights, freed of what wrappers put around them.

torch.compile, DataParallel, FSDP, activation checkpointing and AveragedModel write into the names;
Lightning and home-made trainers put the attribute in front that held the network.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

__all__ = ["common_prefix", "first_components", "fitted_names", "without_wrappers"]

_WRAPPERS = {
    "_orig_mod": "a compiled network",
    "_fsdp_wrapped_module": "FSDP",
    "_checkpoint_wrapped_module": "a checkpoint wrapper",
}
"""Components that torch reserves for its wrappers, wherever they stand in a name."""

_PARALLEL = "module."
_COUNTER = "n_averaged"


def without_wrappers(params: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Take what torch's wrappers wrote out of the names.

    Args:
        params: Weights by name.

    Returns:
        Weights by the names that the network gave them, and in words what was taken out. Where two
        weights would get one name, everything is left as it was.
    """
    found, seen = dict(params), []
    for component, words in _WRAPPERS.items():
        shorter = {_without(component, name): value for name, value in found.items()}
        if shorter.keys() != found.keys() and len(shorter) == len(found):
            seen.append(f"saved from {words} (names held {component}.)")
            found = shorter
    weights = {name: value for name, value in found.items() if name != _COUNTER}
    while weights and all(name.startswith(_PARALLEL) for name in weights):
        weights = {name.removeprefix(_PARALLEL): value for name, value in weights.items()}
        found = weights
        text = "saved from DataParallel (names began with module.)"
        seen += [] if text in seen else [text]
    return found, seen


def common_prefix(names: Collection[str]) -> str:
    """Prefix of all names up to the first dot; empty if they differ there."""
    first = first_components(names)
    return next(iter(first)) if len(first) == 1 and "" not in first else ""


def first_components(names: Collection[str]) -> dict[str, int]:
    """Prefixes of the names up to the first dot, and how many; "" for names without a dot."""
    return dict(Counter(name[: name.find(".") + 1] for name in names))


def fitted_names(params: Mapping[str, Any], own: Collection[str]) -> dict[str, Any]:
    """Take away a prefix that all weights share, if only without it they are the network's.

    Args:
        params: Weights by name.
        own: Names of the network's weights.

    Returns:
        Weights by other names; by the same ones where no prefix stands between them and the
        network.
    """
    shorter = dict(params)
    while not any(name in own for name in shorter):
        prefix = common_prefix(shorter)
        if not prefix:
            return dict(params)
        shorter = {name.removeprefix(prefix): value for name, value in shorter.items()}
    return shorter


def _without(component: str, name: str) -> str:
    return ".".join(part for part in name.split(".") if part != component)
