"""Weights to start a training from: a related network, fitted where their shapes differ."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from semanir_arch.archs import build_network
from semanir_arch.archs.semanir_arch import SemanIR
from semanir_arch.modules.resample import PixelShuffleDirect
from semanir_arch.tasks import Task
from semanir_arch.utils.checkpoint import load_checkpoint, save_checkpoint
from semanir_arch.weights.catalogue import FOLDER

__all__ = ["Start", "fit", "prepare_start", "start_by_interpolating"]

_FITTED = Path("experiments/starts")
_COLOUR = 3
_SMALL = 0.01


@dataclass(frozen=True)
class Start:
    """Weights to start from.

    Args:
        file: File that the training loads.
        origin: Origin of the weights, in words.
    """

    file: Path
    origin: str


def prepare_start(
    task: Task, network: Mapping[str, Any], wanted: str | None = None, folder: Path = FOLDER
) -> Start | None:
    """Choose the weights to start from, and write them in the shape of the network.

    Args:
        task: Task to train.
        network: Option block of its network.
        wanted: A weights file, "none" for random weights, or None for the shipped weights of the
            task or else of the related one.
        folder: Folder of the shipped weights.

    Returns:
        File to start from; None for random weights.

    Raises:
        FileNotFoundError: `wanted` does not exist.
        ValueError: It holds no weights.
    """
    if wanted == "none":
        return None
    candidates = [task.name, *task.starts_from]
    files = [Path(wanted)] if wanted else [folder / f"{name}.safetensors" for name in candidates]
    source = next((file for file in files if wanted or file.is_file()), None)
    built = build_network(network)
    if source is not None:
        own, given = built.state_dict(), load_checkpoint(source).params
        fitted = {name: fit(given.get(name), value) for name, value in own.items()}
        taken = {name: value for name, value in fitted.items() if value is not None}
        params = own | taken
        origin = f"{wanted or source.name} ({len(taken)} of {len(own)} tensors)"
    elif start_by_interpolating(built):
        params, origin = built.state_dict(), "bilinear interpolation, other weights random"
    else:
        return None
    _FITTED.mkdir(parents=True, exist_ok=True)
    target = _FITTED / f"{task.name}.pth"
    save_checkpoint(target, {"params": params, "network_g": dict(network)})
    return Start(target, origin)


def fit(given: Tensor | None, own: Tensor) -> Tensor | None:
    """A tensor of a trained network in the shape of another network's, if there is a way.

    Between color and gray, the first convolution sees the sum of three equal channels, and the
    last one gives their mean. Before a pixel-shuffle of twice the factor, every pixel becomes four
    equal ones.

    Args:
        given: Trained values; None if that network has no such tensor.
        own: Values that the new network begins with.
    """
    if given is None:
        return None
    given = given.to(own.dtype)
    if given.shape == own.shape:
        return given
    if given.ndim != own.ndim:
        return None
    for dim in range(min(given.ndim, 2)):
        if given.shape[dim] == _COLOUR * own.shape[dim]:
            # colors come first, then the pixels of a square that pixel-unshuffle made channels
            summed = given.unflatten(dim, (_COLOUR, -1)).sum(dim=dim)
            given = summed if dim == 1 else summed / _COLOUR
    if given.shape[0] % _COLOUR == 0 and own.shape[0] == 4 * given.shape[0]:
        factor = math.isqrt(given.shape[0] // _COLOUR)
        if given.shape[0] == _COLOUR * factor**2:
            split = given.unflatten(0, (_COLOUR, factor, factor))
            given = split.repeat_interleave(2, 1).repeat_interleave(2, 2).flatten(0, 2)
    return given if given.shape == own.shape else None


@torch.no_grad()
def start_by_interpolating(network: nn.Module) -> bool:
    """Let an untrained super-resolution network begin as, nearly, bilinear interpolation.

    Its first features carry the image, its last convolution interpolates it, and what else reaches
    the image is small. This spares the training its first thousands of iterations.

    Args:
        network: Network, changed in place if there is a way for its kind.

    Returns:
        Whether the network was changed.
    """
    if not (isinstance(network, SemanIR) and isinstance(network.reconstruct, PixelShuffleDirect)):
        return False
    first, last = network.first, network.reconstruct[0]
    assert isinstance(last, nn.Conv2d)
    channels, scale = network.out_chans, network.upscale
    first.weight[:channels] = 0
    last.weight *= _SMALL
    network.body_conv.weight *= _SMALL
    for bias in (first.bias, last.bias, network.body_conv.bias):
        assert bias is not None
        bias.zero_()
    kernels = torch.stack([_bilinear_taps((step + 0.5) / scale - 0.5) for step in range(scale)])
    for channel in range(channels):
        first.weight[channel, channel, 1, 1] = 1
        rows = last.weight[channel * scale**2 : (channel + 1) * scale**2]
        rows[:, :channels] = 0
        rows[:, channel] = torch.einsum("iy,jx->ijyx", kernels, kernels).flatten(0, 1)
    return True


def _bilinear_taps(offset: float) -> Tensor:
    """Weights of the pixels before, at and after a place `offset` from the middle one."""
    return torch.tensor([max(-offset, 0.0), 1 - abs(offset), max(offset, 0.0)])
