"""What option files may name: everything registered in BasicSR, with the options it takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from semanir_arch import host, plugin
from semanir_arch.models.optimizers import optimizers
from semanir_arch.models.schedules import SCHEDULES
from semanir_arch.utils.options import Catalogue, Option, signature_options

__all__ = ["build_catalogue"]


def build_catalogue() -> Catalogue:
    """Collect the schema of every registered class.

    Networks, losses, metrics and optimizers get their block as keyword arguments, so their
    signature is the schema. Datasets and models get a dictionary and declare `OPTIONS`; BasicSR's
    own declare nothing.
    """
    registries = host.load("basicsr.utils.registry")
    rate = {"lr": Option(float, help="learning rate")}
    return Catalogue(
        networks={
            name: signature_options(entry) for name, entry in _named(registries.ARCH_REGISTRY)
        },
        datasets={name: _declared(entry) for name, entry in _named(registries.DATASET_REGISTRY)},
        models={name: _declared(entry) for name, entry in _named(registries.MODEL_REGISTRY)},
        losses={name: signature_options(entry) for name, entry in _named(registries.LOSS_REGISTRY)},
        metrics={
            name: signature_options(entry, skip=("img", "img2"))
            for name, entry in _named(registries.METRIC_REGISTRY)
        },
        optimizers={
            name: {**(signature_options(entry, skip=("params",)) or {}), **rate}
            for name, entry in optimizers().items()
        },
        schedules={name: signature_options(entry) for name, entry in SCHEDULES.items()},
        input_channels={
            name: entry.input_channels
            for name, entry in _named(registries.DATASET_REGISTRY)
            if hasattr(entry, "input_channels")
        },
        ours=frozenset(name for entries in plugin.ENTRIES.values() for name in entries),
    )


def _declared(entry: Any) -> Mapping[str, Option] | None:
    return getattr(entry, "OPTIONS", None)


def _named(registry: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Entries of a registry; BasicSR finds those that end in `_basicsr` without the suffix too."""
    for name, entry in registry:
        yield name, entry
        yield name.removesuffix("_basicsr"), entry
