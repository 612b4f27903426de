"""A network's options as one more tensor beside its weights.

Programs that load weights with spandrel, such as chaiNNer and ComfyUI, see nothing of a file but
its tensors: neither the metadata of safetensors nor the other keys of a .pth file. What the shapes
of weights do not tell (window, kept keys, task) has to be a tensor itself.

The tensor holds the characters of a JSON text, all below 128, so that converting a whole file to
half precision or bfloat16, which have 8 exact bits at least, leaves it readable.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from semanir_arch.utils.errors import InputError

__all__ = ["NAME", "STAMPED", "make_stamp", "read_stamp", "take_stamp"]

NAME = "semanir_arch.network_g"
"""Name of the tensor."""

STAMPED = frozenset({"SemanIR", "SemanIRUNet", "RAMiT"})
"""Networks whose weights get one. Those of Restormer other programs read by themselves."""

_LARGEST = 2**16


def make_stamp(network: Mapping[str, Any]) -> Tensor:
    """Write a network's option block into a tensor of integers.

    Args:
        network: `type` and arguments, plain values.

    Returns:
        Shape (n,), int32: a type that spandrel's reader of .pth files admits.

    Raises:
        TypeError: A value is not plain.
    """
    return torch.tensor(list(json.dumps(dict(network)).encode("ascii")), dtype=torch.int32)


def read_stamp(stamp: Tensor) -> dict[str, Any]:
    """Read what `make_stamp` wrote.

    Args:
        stamp: Shape (n,), of any type.

    Raises:
        ValueError: It is something else.
    """
    try:
        if stamp.dim() != 1 or stamp.numel() > _LARGEST:
            raise InputError(f"shape {tuple(stamp.shape)}")
        text = bytes(int(value) for value in stamp.tolist()).decode("ascii")
        network = json.loads(text)
        if not isinstance(network, dict) or "type" not in network:
            raise InputError("no option block")
    except (ValueError, OverflowError, RecursionError) as error:
        raise InputError(f"{NAME} is no option block of a network ({error})") from error
    return network


def take_stamp(params: dict[str, Tensor], record: dict[str, Any]) -> None:
    """Move the options from the weights to the record, which may have them already.

    Args:
        params: Weights by name; loses the tensor.
        record: Record of the file; gets `network_g` if it has none.

    Raises:
        ValueError: The tensor cannot be read, and the record has no options.
    """
    stamp = params.pop(NAME, None)
    if stamp is not None and not isinstance(record.get("network_g"), Mapping):
        record["network_g"] = read_stamp(stamp)
