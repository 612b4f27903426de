"""Weights from one file into another, of another format or of other names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from semanir_arch.bridges.opening import check_usable
from semanir_arch.utils.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from semanir_arch.utils.checkpoint_names import first_components
from semanir_arch.utils.errors import CheckpointError, InputError
from semanir_arch.utils.tensor_file import write_tensors

__all__ = ["SUFFIXES", "convert"]

SUFFIXES = (".safetensors", ".pth", ".pt")


def convert(
    source: Path,
    target: Path,
    *,
    param_key: str = "auto",
    prefix: str = "",
    network: Mapping[str, Any] | None = None,
    task: str | None = None,
) -> Checkpoint:
    """Write the weights of a file in another format, with what the file says about them.

    What `semanir-restore` could not load afterwards is refused, and nothing is written.

    Args:
        source: File that `load_checkpoint` reads.
        target: File to write; its suffix decides the format. Replaced if it exists. A safetensors
            file gets the network's options as a tensor too, for programs that load with spandrel.
        param_key: Key of the weights to keep; see `load_checkpoint`.
        prefix: Prefix of the weights to keep; it is removed from their names.
        network: Option block of the network; None for the one in the file.
        task: Task of the weights, in words; None for the one in the file.

    Returns:
        Checkpoint that was read.

    Raises:
        FileNotFoundError: No such file.
        ValueError: `source` cannot be read or used, or `target` has another suffix.
    """
    if target.suffix.lower() not in SUFFIXES:
        raise InputError(f"{target}: suffix must be one of {', '.join(SUFFIXES)}")
    read = load_checkpoint(source, param_key)
    if prefix:
        read = _part(read, prefix)
    if network:
        read = replace(read, network=dict(network))
    read = check_usable(read)
    record: dict[str, Any] = {
        "network_g": read.network,
        "metadata": read.metadata | ({"task": task} if task else {}),
    }
    record = {key: value for key, value in record.items() if value}
    if target.suffix.lower() == ".safetensors":
        write_tensors(target, read.params, record)
    else:
        save_checkpoint(target, {"params": read.params, **record})
    return read


def _part(checkpoint: Checkpoint, prefix: str) -> Checkpoint:
    """Weights whose names begin with a prefix, without it."""
    kept = {
        name.removeprefix(prefix): value
        for name, value in checkpoint.params.items()
        if name.startswith(prefix)
    }
    if not kept:
        found = ", ".join(repr(name) for name in first_components(checkpoint.params))
        raise CheckpointError(
            f"{checkpoint.source}: no weight has a name that begins with {prefix!r}; they begin "
            f"with {found}"
        )
    return replace(checkpoint, params=kept)
