"""Whether new weights are better than the shipped ones, by what neither was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from semanir_arch import registration
from semanir_arch.archs import build_network
from semanir_arch.metrics.protocols import PROTOCOLS
from semanir_arch.utils.checkpoint import load_checkpoint, load_into
from semanir_arch.utils.errors import InputError

__all__ = ["bfloat16_cost", "is_better", "validate"]


SATURATED = 45.0
"""Decibels beyond which a set does not count as better: nobody sees the difference, and a network
that leaves clean pictures alone would outweigh one that cleans."""


@torch.inference_mode()
def validate(
    weights: Path, options: Mapping[str, Any], device: str = "cpu", *, is_reduced: bool = False
) -> dict[str, float]:
    """Score weights on the validation sets of an option file.

    Args:
        weights: A file that names its network.
        options: Complete options of the training.
        device: Device that computes.
        is_reduced: Whether it does so in bfloat16.

    Returns:
        Mean PSNR in decibels by the name of the data set, in the protocol of the options.

    Raises:
        FileNotFoundError: The weights, or the images, are not there.
        ValueError: They cannot be used.
    """
    checkpoint = load_checkpoint(weights)
    if checkpoint.network is None:
        raise InputError(f"{weights}: the file does not say which network it belongs to")
    network = build_network(checkpoint.network)
    load_into(network, checkpoint)
    network = network.eval().to(device)
    protocol = PROTOCOLS[options["val"]["protocol"]]
    scores = {}
    for key, block in options["datasets"].items():
        if not key.startswith("val"):
            continue
        common = {"phase": "val", "scale": options.get("scale", 1)}
        dataset = registration.ENTRIES["DATASET_REGISTRY"][block["type"]]({**block, **common})
        values = []
        for index in range(len(dataset)):
            pair = dataset[index]
            with torch.autocast(device, torch.bfloat16, enabled=is_reduced):
                restored = network(pair["lq"][None].to(device))[0].float().cpu()
            values.append(protocol.evaluate(restored, pair["gt"], common["scale"])["psnr"])
        scores[block["name"]] = sum(values) / len(values)
    return scores


def bfloat16_cost(
    weights: Path, options: Mapping[str, Any], exact: Mapping[str, float], device: str = "cpu"
) -> dict[str, float]:
    """Cost of bfloat16 for a network.

    Args:
        weights: A file that names its network.
        options: Complete options of the training.
        exact: Result of `validate` in float32.
        device: Device that computes.

    Returns:
        Decibels by the name of the data set, positive where bfloat16 is worse.
    """
    reduced = validate(weights, options, device, is_reduced=True)
    return {name: round(value - reduced[name], 4) for name, value in exact.items()}


def is_better(new: Mapping[str, float], shipped: Mapping[str, float]) -> bool:
    """Whether the mean over all validation sets is higher, each counted up to `SATURATED`.

    Args:
        new: Result of `validate`.
        shipped: The same for the shipped weights, on the same sets.

    Raises:
        ValueError: They were not scored on the same sets.
    """
    if new.keys() != shipped.keys():
        raise InputError(f"scores of {sorted(new)} cannot be compared with {sorted(shipped)}")
    return _total(new) > _total(shipped)


def _total(scores: Mapping[str, float]) -> float:
    return sum(min(value, SATURATED) for value in scores.values())
