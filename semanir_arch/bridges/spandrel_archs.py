"""This package's networks for every program that loads weights with spandrel.

    from semanir_arch.bridges.spandrel_archs import install
    install()
    model = spandrel.ModelLoader().load_from_file("denoise.safetensors")

chaiNNer and ComfyUI load through the registry that `install` adds to. Restormer is not among the
networks: spandrel reads its authors' weights itself, with the package spandrel_extra_arches, whose
copy of their code is for academic, non-commercial use. Ours is written from the paper and under
Apache-2.0, which changes nothing about weights that others have trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spandrel import (
    MAIN_REGISTRY,
    Architecture,
    ArchRegistry,
    ArchSupport,
    ImageModelDescriptor,
    ModelTiling,
    StateDict,
)
from torch import Tensor, nn

from semanir_arch.archs import build_network
from semanir_arch.archs.base import KeySemanticNetwork
from semanir_arch.bridges.spandrel_reader import OURS
from semanir_arch.utils import stamp
from semanir_arch.utils.checkpoint_layout import find_family
from semanir_arch.utils.errors import InputError
from semanir_arch.weights import available

__all__ = ["ARCHITECTURES", "KeyGraphArchitecture", "install"]


class KeyGraphArchitecture(Architecture[nn.Module]):
    """One of this package's networks, as spandrel describes networks.

    Args:
        name: Name of the network, one of `stamp.STAMPED`.
    """

    def __init__(self, name: str) -> None:
        super().__init__(id=f"{OURS}{name}", name=name, detect=self._is_mine)

    def load(self, state_dict: StateDict) -> ImageModelDescriptor[nn.Module]:
        """Build the network, with its weights.

        Args:
            state_dict: Weights of a file that this package wrote as safetensors. Those of a .pth
                file do not tell everything about the network.

        Raises:
            ValueError: They do not say which network exactly they belong to.
        """
        weights = dict(state_dict)
        record: dict[str, Any] = {}
        stamp.take_stamp(weights, record)
        block = record.get("network_g") or _find_shipped(weights)
        if block is None:
            raise InputError(
                f"these weights of {self.name} lack facts about their network; write them "
                "anew: python -m semanir_arch.commands.convert FILE NEW.safetensors"
            )
        network = build_network(block).eval()
        purpose = "SR" if network.upscale > 1 else "Restoration"
        mixes_all = not isinstance(network, KeySemanticNetwork)
        return ImageModelDescriptor(
            network,
            weights,
            architecture=self,
            purpose=purpose,
            tags=_tags(block, weights),
            # features of the shipped sr_x2 leave the range of fp16
            supports_half=False,
            supports_bfloat16=True,
            scale=network.upscale,
            input_channels=network.in_chans,
            output_channels=network.out_chans,
            # channel attention takes the whole image into account
            tiling=ModelTiling.DISCOURAGED if mixes_all else ModelTiling.SUPPORTED,
        )

    def _is_mine(self, state_dict: StateDict) -> bool:
        if stamp.NAME in state_dict:
            return bool(stamp.read_stamp(state_dict[stamp.NAME])["type"] == self.name)
        return find_family(state_dict) == self.name


ARCHITECTURES = tuple(KeyGraphArchitecture(name) for name in sorted(stamp.STAMPED))
"""Architectures that `install` adds."""


def install(registry: ArchRegistry = MAIN_REGISTRY) -> None:
    """Let spandrel load the weights of this package's networks.

    Args:
        registry: Registry to add them to; by default the one that programs use unless they have
            their own. May be called again.
    """
    entries = [ArchSupport.from_architecture(architecture) for architecture in ARCHITECTURES]
    registry.add(*entries, ignore_duplicates=True)


def _tags(block: Mapping[str, Any], weights: Mapping[str, Tensor]) -> list[str]:
    count = sum(value.numel() for value in weights.values())
    tags = [f"{count / 1e6:.2f}M"]
    if "k" in block:
        tags.append(f"{block['k']} keys")
    return [*tags, str(block["task"])] if "task" in block else tags


def _find_shipped(weights: Mapping[str, Tensor]) -> dict[str, Any] | None:
    """Options of a network that this package ships, whose files may be older than the stamp."""
    # imported where needed: most files have a stamp
    from semanir_arch.utils.tensor_file import read_tensors

    count = sum(value.numel() for value in weights.values())
    for shipped in available():
        if shipped.parameters != count:
            continue
        params, record = read_tensors(shipped.path)
        same = params.keys() == weights.keys() and all(
            value.equal(weights[name].to("cpu", value.dtype)) for name, value in params.items()
        )
        if same:
            return dict(record["network_g"])
    return None
