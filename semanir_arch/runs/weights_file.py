"""What a report says about the weights that were tested."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semanir_arch.archs import NETWORKS
from semanir_arch.utils.checkpoint import load_checkpoint

__all__ = ["WeightsFile", "read_weights_file"]

_PIECE = 2**20


@dataclass(frozen=True)
class WeightsFile:
    """A file with weights.

    Args:
        path: Path as it was given.
        sha256: Hexadecimal digest of its content.
        layout: Layout that the file was recognized as, in words; None for networks of BasicSR.
        differences: Arguments in which the network that the file names differs from the one tested.
    """

    path: str
    sha256: str
    layout: str | None = None
    differences: tuple[str, ...] = ()


def read_weights_file(path: str, network: Mapping[str, Any]) -> WeightsFile:
    """Describe a file that `check_network` has accepted.

    Args:
        path: The file.
        network: Option block of the network that is tested.

    Raises:
        FileNotFoundError: No such file.
        CheckpointError: It cannot be read.
    """
    file = Path(path).expanduser()
    digest = _digest(file)
    if str(network.get("type")) not in NETWORKS:
        return WeightsFile(path, digest)
    checkpoint = load_checkpoint(file)
    return WeightsFile(
        path, digest, checkpoint.layout, _compare(checkpoint.network or network, network)
    )


def _compare(saved: Mapping[str, Any], tested: Mapping[str, Any]) -> tuple[str, ...]:
    """Arguments that differ, defaults included: most leave no trace in the shapes of weights."""
    blocks = [_complete(saved), _complete(tested)]
    names = sorted({name for block in blocks for name in block})
    return tuple(
        f"{name}: {blocks[0].get(name)!r} in the file, {blocks[1].get(name)!r} tested"
        for name in names
        if blocks[0].get(name) != blocks[1].get(name)
    )


def _complete(network: Mapping[str, Any]) -> dict[str, Any]:
    kind = NETWORKS.get(network.get("type", ""))
    parameters = inspect.signature(kind).parameters.values() if kind else ()
    block = {
        parameter.name: parameter.default
        for parameter in parameters
        if parameter.default is not inspect.Parameter.empty
    } | dict(network)
    return {name: list(v) if isinstance(v, tuple) else v for name, v in block.items()}


def _digest(path: Path) -> str:
    checksum = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            checksum.update(piece)
    return checksum.hexdigest()
