"""This package's networks with `from_pretrained`, `save_pretrained` and `push_to_hub`.

    from semanir_arch.bridges.hub_networks import SemanIR
    network = SemanIR.from_pretrained("USER/REPO")

They are the networks of `semanir_arch.archs` with huggingface_hub's mixin. What they save carries
the network's options in the weights file, so that `semanir-restore --weights hf:USER/REPO` and
spandrel load it too.
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any, TypeVar

from huggingface_hub import ModelHubMixin, hf_hub_download

from semanir_arch import archs
from semanir_arch.archs.base import RestorationNetwork
from semanir_arch.bridges.cards import Publication
from semanir_arch.bridges.hub import WEIGHTS, write_publication
from semanir_arch.utils.checkpoint import Checkpoint, load_checkpoint, load_into

__all__ = ["HUB_NETWORKS", "HubMixin", "RAMiT", "Restormer", "SemanIR", "SemanIRUNet"]

Network = TypeVar("Network", bound="HubMixin")


class HubMixin(ModelHubMixin):
    """Saves and loads a network of this package as a repository of the hub.

    Attributes:
        record: What is known of the training; written into the file and the model card.
    """

    record: dict[str, Any]

    def _save_pretrained(self, save_directory: Path) -> None:
        """Write weights, options, model card and OpenModelDB entry."""
        assert isinstance(self, RestorationNetwork)
        arguments = self._hub_mixin_config
        assert isinstance(arguments, dict)
        state = {name: value.detach().cpu() for name, value in self.state_dict().items()}
        record = getattr(self, "record", {})
        checkpoint = Checkpoint(state, {"type": type(self).__name__, **arguments}, record)
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
        kind = block.pop("type", cls.__name__)
        if kind != cls.__name__:
            raise ValueError(
                f"{model_id}: its weights are of {kind}; load them with {kind}.from_pretrained"
            )
        network: Any = cls(**{**block, **arguments})
        load_into(network, checkpoint)
        network.record = dict(checkpoint.metadata)
        built: Network = network.eval()
        return built


class SemanIR(HubMixin, archs.SemanIR):
    """`semanir_arch.archs.SemanIR` with the mixin."""


class SemanIRUNet(HubMixin, archs.SemanIRUNet):
    """`semanir_arch.archs.SemanIRUNet` with the mixin."""


class Restormer(HubMixin, archs.Restormer):
    """`semanir_arch.archs.Restormer` with the mixin."""


class RAMiT(HubMixin, archs.RAMiT):
    """`semanir_arch.archs.RAMiT` with the mixin."""


HUB_NETWORKS = {network.__name__: network for network in (SemanIR, SemanIRUNet, Restormer, RAMiT)}
"""By the names that files use."""
