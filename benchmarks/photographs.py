"""Noisy photographs, and a network that has learnt a little from them.

Which keys tokens keep depends on the image and on training, so that random features say nothing
about it. Everything is inside the scikit-image wheel; no other part of the project's training is
needed.
"""

from __future__ import annotations

import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from semanir_arch.archs import build_network
from semanir_arch.archs.base import KeySemanticNetwork
from semanir_arch.modules.stage import KeySemanticStage
from semanir_arch.modules.window import window_partition

__all__ = ["held_out", "load", "stage_features", "train"]

TRAINING = ("astronaut.png", "motorcycle_left.png", "motorcycle_right.png", "rocket.jpg")
HELD_OUT = ("chelsea.png", "coffee.png")
SIGMA = 25  # noise, on the 0-255 scale

# The quickstart's network with the windows of the published ones: 1024 tokens.
_NETWORK = {
    "type": "SemanIRUNet",
    "widths": [24, 48],
    "depths": [2, 2],
    "num_heads": [2, 4],
    "window_size": [32, 16],
    "final_depth": 0,
    "k": 256,
    "bias_dim": 64,
}
_PATCH = 64
_BATCH = 4
_LEARNING_RATE = 1e-3
# The paper draws the number of kept keys anew at every step.
_KEPT = (64, 512)


def held_out(device: str, height: int = 256, width: int = 384) -> list[Tensor]:
    """Noisy photographs that `train` never sees, each of shape (1, 3, height, width)."""
    generator = torch.Generator().manual_seed(0)
    return [
        _add_noise(photo[:, :height, :width], generator).unsqueeze(0).to(device)
        for photo in _read(HELD_OUT)
    ]


def load(weights: Path, device: str) -> KeySemanticNetwork:
    """Build the network of a weights file that holds its options ("network_g").

    Raises:
        TypeError: If the network has no key-semantic stages.
    """
    state = torch.load(weights, map_location="cpu", weights_only=True)
    network = _build(state["network_g"])
    network.load_state_dict(state.get("params_ema", state.get("params")))
    return network.to(device).eval()


def train(
    seconds: float, device: str, *, network: KeySemanticNetwork | None = None
) -> KeySemanticNetwork:
    """Train for a while against Gaussian noise.

    Args:
        seconds: Time to train.
        device: Device to train on.
        network: The network to train; default: a small one with windows of 1024 tokens.
    """
    generator = torch.Generator().manual_seed(0)
    if network is None:
        torch.manual_seed(0)
        network = _build(_NETWORK)
    network.to(device).train()
    photos = _read(TRAINING)
    optimizer = torch.optim.AdamW(network.parameters(), lr=_LEARNING_RATE)
    until = time.monotonic() + seconds
    kept = network.k
    while (left := until - time.monotonic()) > 0:
        for group in optimizer.param_groups:
            group["lr"] = _LEARNING_RATE * max(left / seconds, 0.05)
        network.k = int(torch.randint(*_KEPT, (), generator=generator))
        clean = torch.stack([_crop(photos, generator) for _ in range(_BATCH)])
        noisy = torch.stack([_add_noise(patch, generator) for patch in clean])
        loss = F.l1_loss(network(noisy.to(device)), clean.to(device))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    network.k = kept
    return network.eval()


def stage_features(network: KeySemanticNetwork, device: str) -> Tensor:
    """Windows (nW, N, C) from which a network's first stage builds its dictionary."""
    found: list[Tensor] = []
    stage = next(m for m in network.modules() if isinstance(m, KeySemanticStage))

    def keep(_: object, inputs: tuple[Tensor, ...]) -> None:
        found.append(window_partition(inputs[0], stage.window_size))

    hook = stage.register_forward_pre_hook(keep)
    with torch.no_grad():
        for photo in held_out(device):
            network(photo)
    hook.remove()
    return torch.cat(found)


def _build(options: dict[str, object]) -> KeySemanticNetwork:
    network = build_network(options)
    if not isinstance(network, KeySemanticNetwork):
        raise TypeError(f"{type(network).__name__} has no key-semantic stages")
    return network


def _read(names: tuple[str, ...]) -> list[Tensor]:
    from skimage import data, io

    folder = Path(data.__file__).parent
    photos = (torch.from_numpy(io.imread(folder / name)[..., :3]) for name in names)
    return [photo.permute(2, 0, 1).float() / 255 for photo in photos]


def _crop(photos: list[Tensor], generator: torch.Generator) -> Tensor:
    photo = photos[int(torch.randint(len(photos), (), generator=generator))]
    top, left = (
        int(torch.randint(side - _PATCH + 1, (), generator=generator)) for side in photo.shape[1:]
    )
    return photo[:, top : top + _PATCH, left : left + _PATCH]


def _add_noise(photo: Tensor, generator: torch.Generator) -> Tensor:
    return photo + torch.randn(photo.shape, generator=generator) * (SIGMA / 255)
