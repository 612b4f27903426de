"""Registers the toolkit in BasicSR: `import semanir_arch.plugin` is all a training needs.

BasicSR finds networks, datasets, models and metrics by name in its registries. This is the only
place that fills them; everything else but the models can be used without BasicSR.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from semanir_arch import host
from semanir_arch.archs import NETWORKS
from semanir_arch.data import DATASETS
from semanir_arch.losses import LOSSES
from semanir_arch.metrics import REGISTERED
from semanir_arch.models.adversarial_model import AdversarialModel
from semanir_arch.models.naturalness import semanir_niqe
from semanir_arch.models.restoration_model import RestorationModel

__all__ = ["ENTRIES", "register"]

ENTRIES: dict[str, Mapping[str, Any]] = {
    "ARCH_REGISTRY": NETWORKS,
    "DATASET_REGISTRY": DATASETS,
    "MODEL_REGISTRY": {model.__name__: model for model in (RestorationModel, AdversarialModel)},
    "LOSS_REGISTRY": LOSSES,
    "METRIC_REGISTRY": {**REGISTERED, semanir_niqe.__name__: semanir_niqe},
}
"""What this package adds to each of BasicSR's registries, by name."""


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
