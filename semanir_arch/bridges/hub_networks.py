"""This package's networks with `from_pretrained`, `save_pretrained` and `push_to_hub`.

    from semanir_arch.bridges.hub_networks import HubSemanIR
    network = HubSemanIR.from_pretrained("USER/REPO")

They are the networks of `semanir_arch.archs` with huggingface_hub's mixin. What they save carries
the network's options in the weights file, so that `semanir-restore --weights hf:USER/REPO` and
spandrel load it too.
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from huggingface_hub import ModelHubMixin, hf_hub_download

from semanir_arch import archs
from semanir_arch.archs.base import RestorationNetwork
from semanir_arch.bridges.cards import Publication
from semanir_arch.bridges.hub_download import WEIGHTS
from semanir_arch.bridges.hub_repository import write_publication
from semanir_arch.utils.checkpoint import Checkpoint, load_checkpoint, load_into
from semanir_arch.utils.errors import InputError

__all__ = ["HUB_NETWORKS", "HubMixin", "HubRAMiT", "HubRestormer", "HubSemanIR", "HubSemanIRUNet"]

Network = TypeVar("Network", bound="HubMixin")


class HubMixin(ModelHubMixin):
    """Saves and loads a network of this package as a repository of the hub.

    Attributes:
        name: Name of the network, as files write it.
        record: Record of the training; written into the file and the model card.
    """

    name: ClassVar[str]

    record: dict[str, Any]

    def _save_pretrained(self, save_directory: Path) -> None:
        """Write weights, options, model card and OpenModelDB entry."""
        assert isinstance(self, RestorationNetwork)
        arguments = self._hub_mixin_config
        assert isinstance(arguments, dict)
        state = {name: value.detach().cpu() for name, value in self.state_dict().items()}
        record = getattr(self, "record", {})
        checkpoint = Checkpoint(state, {"type": self.name, **arguments}, record)
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        name = save_directory.name
        write_publication(Publication(name, self, checkpoint, record, date=today), save_directory)

    @classmethod
    def _from_pretrained(
        cls: type[Network],
        *,
        model_id: str,
        revision: str | None,
        cache_dir: str | Path | None,
        force_download: bool,
        local_files_only: bool,
        token: str | bool | None,
        **arguments: Any,
    ) -> Network:
        """Build the network that the weights file names; arguments of the caller come first.

        Raises:
            FileNotFoundError: The folder has no weights.
            ValueError: They belong to another network.
        """
        file = Path(model_id) / WEIGHTS
        if not Path(model_id).is_dir():
            file = Path(
                hf_hub_download(
                    model_id,
                    WEIGHTS,
                    revision=revision,
                    cache_dir=cache_dir,
                    force_download=force_download,
                    local_files_only=local_files_only,
                    token=token,
                )
            )
        checkpoint = load_checkpoint(file)
        block = dict(checkpoint.network or {})
        kind = block.pop("type", cls.name)
        if kind != cls.name:
            raise InputError(
                f"{model_id}: its weights are of {kind}; load them with Hub{kind}.from_pretrained"
            )
        network: Any = cls(**{**block, **arguments})
        load_into(network, checkpoint)
        network.record = dict(checkpoint.metadata)
        built: Network = network.eval()
        return built


class HubSemanIR(HubMixin, archs.SemanIR):
    """`semanir_arch.archs.SemanIR` with the mixin."""

    name = "SemanIR"


class HubSemanIRUNet(HubMixin, archs.SemanIRUNet):
    """`semanir_arch.archs.SemanIRUNet` with the mixin."""

    name = "SemanIRUNet"


class HubRestormer(HubMixin, archs.Restormer):
    """`semanir_arch.archs.Restormer` with the mixin."""

    name = "Restormer"


class HubRAMiT(HubMixin, archs.RAMiT):
    """`semanir_arch.archs.RAMiT` with the mixin."""

    name = "RAMiT"


HUB_NETWORKS = {
    network.name: network for network in (HubSemanIR, HubSemanIRUNet, HubRestormer, HubRAMiT)
}
"""Networks by the names that files use."""


def __getattr__(name: str) -> type[HubMixin]:
    """The classes by their names before November 2026, those of the plain networks."""
    if name in HUB_NETWORKS:
        return HUB_NETWORKS[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
