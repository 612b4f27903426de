"""A network from its file, on a device that works."""

from __future__ import annotations

from pathlib import Path

import torch

from semanir_arch.archs.base import KeySemanticNetwork, RestorationNetwork
from semanir_arch.bridges.opening import find_weights, open_network
from semanir_arch.ops.backend import ATTENTION_BACKENDS
from semanir_arch.tasks import Task, find_task
from semanir_arch.utils import devices
from semanir_arch.utils.checkpoint import Checkpoint, load_checkpoint
from semanir_arch.utils.errors import InputError

__all__ = ["choose_device", "describe", "load_network", "network_of", "set_attention", "task_of"]

_CHANNELS = ((1, 1), (3, 3), (1, 3))
"""Gray to gray, color to color, and a Bayer mosaic to color."""


def choose_device(name: str) -> torch.device:
    """Find a device and make sure that it works.

    Args:
        name: "auto" for the accelerator (CUDA, ROCm, XPU, MPS) where there is one, or a name that
            torch knows.

    Raises:
        ValueError: The name is unknown, or this machine has no such device.
    """
    if name == "auto":
        return torch.device(devices.accelerator() or "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()
    # AssertionError: torch was built without this device; NotImplementedError: it holds no data;
    # TypeError: not a name
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"device={name!r} cannot be used here ({reason}); allowed: auto, cpu, or a GPU that "
            "`python -m semanir_arch.doctor` lists"
        ) from error
    return device


def load_network(weights: str | Path) -> RestorationNetwork:
    """Build the network of a weights file, or of `hf:USER/REPO[@REVISION]`; see `network_of`.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file holds no weights, or as `network_of`.
    """
    return network_of(load_checkpoint(find_weights(weights)))


def network_of(checkpoint: Checkpoint) -> RestorationNetwork:
    """Build the network of a checkpoint, with its weights, ready for inference.

    Raises:
        ValueError: Nothing here knows the network (see `semanir_arch.bridges.opening`), or it does
            not turn images into images.
    """

    def accept(network: RestorationNetwork) -> None:
        channels = (network.in_chans, network.out_chans)
        if channels not in _CHANNELS:
            raise InputError(
                f"{checkpoint.source}: its network turns {channels[0]} channels into "
                f"{channels[1]}; allowed: gray into gray (1) or color into color (3), or a "
                "mosaic (1) into color (3)"
            )

    return open_network(checkpoint, accept)


def describe(network: RestorationNetwork) -> str:
    """Name of a network's architecture, for messages."""
    return str(getattr(network, "name", type(network).__name__))


def task_of(checkpoint: Checkpoint) -> Task | None:
    """Find the task that the weights were trained for, if the file names one."""
    found = isinstance(checkpoint.metadata, dict) and find_task(checkpoint.metadata.get("task"))
    # others say nothing about the network's size and strength
    return found if found and found.has_network else None


def set_attention(network: RestorationNetwork, k: int | None, backend: str) -> None:
    """Choose how many keys each token keeps (None: as built) and what computes the attention.

    Raises:
        ValueError: The number or the name is not allowed, or the network has no dictionary.
    """
    if backend != "auto" and backend not in ATTENTION_BACKENDS:
        raise InputError(f"backend={backend!r}; allowed: auto, {', '.join(ATTENTION_BACKENDS)}")
    if isinstance(network, KeySemanticNetwork):
        network.backend = backend
        network.k = network.k if k is None else k
    elif k is not None:
        raise InputError(f"k={k}: {describe(network)} has no key-semantic dictionary")
