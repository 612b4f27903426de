"""What option files may name: everything registered in BasicSR, with the options it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from semanir_arch import host, registration
from semanir_arch.models.optimizers import optimizers
from semanir_arch.models.schedules import SCHEDULES
from semanir_arch.utils.options import Catalogue, Option, declare, signature_options
from semanir_arch.utils.options import basicsr_classes as foreign
from semanir_arch.utils.options.basicsr_keys import RATE

__all__ = ["build_catalogue"]


def build_catalogue() -> Catalogue:
    """Collect the schema of every registered class.

    Networks, losses, metrics and optimizers get their block as keyword arguments, so their
    signature is the schema. Datasets and models get a dictionary and declare `OPTIONS`. For those
    of BasicSR's and torch's classes that our files name, `basicsr_classes` completes what their
    signatures leave open; the rest of BasicSR's datasets and models declare nothing.
    """
    registries = host.load("basicsr.utils.registry")
    datasets = dict(_named(registries.DATASET_REGISTRY))
    return Catalogue(
        networks={
            name: foreign.NETWORKS.get(name) or signature_options(entry)
            for name, entry in _named(registries.ARCH_REGISTRY)
        },
        datasets={
            name: foreign.DATASETS.get(name) or _declared(entry) for name, entry in datasets.items()
        },
        models={name: _declared(entry) for name, entry in _named(registries.MODEL_REGISTRY)},
        losses={
            name: declare(signature_options(entry), foreign.LOSS_TYPES.get(name, {}))
            for name, entry in _named(registries.LOSS_REGISTRY)
        },
        metrics={
            name: foreign.METRIC_TYPES.get(name) or signature_options(entry, skip=("img", "img2"))
            for name, entry in _named(registries.METRIC_REGISTRY)
        },
        optimizers={name: _optimizer(entry) for name, entry in optimizers().items()},
        schedules={name: signature_options(entry) for name, entry in SCHEDULES.items()},
        input_channels=_functions(datasets, "input_channels"),
        pixel_ratios=_functions(datasets, "pixel_ratio"),
        steps=_functions(datasets, "patch_step"),
        swallowing=frozenset(
            name
            for registry in (registries.ARCH_REGISTRY, registries.METRIC_REGISTRY)
            for name, entry in _named(registry)
            if signature_options(entry) is None
        ),
        ours=frozenset(name for entries in registration.ENTRIES.values() for name in entries),
    )


def _optimizer(entry: Any) -> dict[str, Option]:
    """Arguments of an optimizer, with a learning rate that must be given."""
    options = signature_options(entry, skip=("params",)) or {}
    if entry.__module__.startswith("torch."):
        types = {
            name: kind
            for name, kind in foreign.OPTIMIZER_TYPES.items()
            # Adafactor's eps are two numbers
            if name == "betas" or not isinstance(getattr(options.get(name), "default", 0), tuple)
        }
        options = declare(options, types) or {}
    return {**options, "lr": Option(RATE, help="learning rate")}


def _functions(datasets: Mapping[str, Any], name: str) -> dict[str, Callable[..., int]]:
    return {kind: getattr(entry, name) for kind, entry in datasets.items() if hasattr(entry, name)}


def _declared(entry: Any) -> Mapping[str, Option] | None:
    return getattr(entry, "OPTIONS", None)


def _named(registry: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Entries of a registry; BasicSR finds those that end in `_basicsr` without the suffix too."""
    for name, entry in registry:
        yield name, entry
        yield name.removesuffix("_basicsr"), entry
