"""Fills BasicSR's registries, in which it finds networks, data sets, models and metrics by name.

This is the only place that fills them; everything else but the models can be used without BasicSR.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from semanir_arch import host
from semanir_arch.archs import NETWORKS
from semanir_arch.bridges.iqa import semanir_pyiqa
from semanir_arch.bridges.spandrel_reader import SpandrelNetwork
from semanir_arch.data import DATASETS
from semanir_arch.losses import LOSSES
from semanir_arch.metrics import REGISTERED
from semanir_arch.models import host_models
from semanir_arch.models.adversarial_model import AdversarialModel
from semanir_arch.models.naturalness import semanir_niqe
from semanir_arch.models.restoration_model import RestorationModel

__all__ = ["ENTRIES", "register"]

ENTRIES: dict[str, Mapping[str, Any]] = {
    "ARCH_REGISTRY": {**NETWORKS, SpandrelNetwork.__name__: SpandrelNetwork},
    "DATASET_REGISTRY": DATASETS,
    "MODEL_REGISTRY": {model.__name__: model for model in (RestorationModel, AdversarialModel)},
    "LOSS_REGISTRY": LOSSES,
    "METRIC_REGISTRY": {
        **REGISTERED,
        **{metric.__name__: metric for metric in (semanir_niqe, semanir_pyiqa)},
    },
}
"""Entries that this package adds to each of BasicSR's registries, by name."""


def register() -> None:
    """Add `ENTRIES` to BasicSR's registries; what is already there is left alone.

    Raises:
        AssertionError: BasicSR has something else of the same name.
    """
    registries = host.load("basicsr.utils.registry")
    for registry, entries in ENTRIES.items():
        present = dict(iter(getattr(registries, registry)))
        for name, entry in entries.items():
            if present.get(name) is not entry:
                getattr(registries, registry).register(entry)


register()
host_models.repair()
