"""Weights in safetensors files, with everything that is needed to rebuild the network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from semanir_arch.utils import stamp
from semanir_arch.utils.atomic import replacing
from semanir_arch.utils.checkpoint_layout import check_file
from semanir_arch.utils.errors import CheckpointError

__all__ = ["read_tensors", "write_tensors"]

_LONGEST = 2**20


def write_tensors(path: Path, params: Mapping[str, Tensor], record: Mapping[str, Any]) -> None:
    """Write a file whole or not at all.

    The options of this project's own networks are written a second time, as a tensor: see
    `semanir_arch.utils.stamp`.

    Args:
        path: Destination; its folder must exist.
        params: Weights by name.
        record: Other facts to keep, plain values; each entry is stored as JSON.

    Raises:
        TypeError: A value of `record` is not plain.
        OSError: The file cannot be written.
    """
    texts = {"format": "pt"} | {key: json.dumps(value) for key, value in record.items()}
    # weights that share memory would be refused, and views would drag their base along
    tensors = {name: tensor.contiguous().clone() for name, tensor in params.items()}
    network = record.get("network_g")
    if isinstance(network, Mapping) and str(network.get("type")) in stamp.STAMPED:
        tensors[stamp.NAME] = stamp.make_stamp(network)
    content = safetensors.torch.save(tensors, texts)
    with replacing(path) as file:
        file.write(content)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read weights and record of a file, onto the CPU.

    Raises:
        FileNotFoundError: No such file.
        CheckpointError: It is cut short or no safetensors file, or the tensor of `stamp` cannot be
            read.
    """
    check_file(path)
    try:
        with safe_open(path, framework="pt") as file:
            texts = dict(file.metadata() or {})
            params = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise CheckpointError(f"{path}: cut short or not a safetensors file") from error
    record = {key: _parse(path, key, text) for key, text in texts.items() if key != "format"}
    try:
        stamp.take_stamp(params, record)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error
    return params, record


def _parse(path: Path, key: str, text: str) -> Any:
    """Files of other writers keep plain texts.

    Raises:
        CheckpointError: The text is deeper, or has longer numbers, than can be read.
    """
    if len(text) > _LONGEST:
        # the notes of another program: no record of ours
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
    except (RecursionError, ValueError) as error:
        raise CheckpointError(f"{path}: its {key} is no record of a network ({error})") from error
