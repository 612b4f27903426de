"""Which share of a window's keys a block of queries uses, in a trained network on photographs."""

from __future__ import annotations

from pathlib import Path

import torch
from measure import markdown_table
from torch import Tensor

from semanir_arch.archs import build_network
from semanir_arch.modules.stage import KeySemanticStage
from semanir_arch.ops import KeySemanticDictionary

__all__ = ["union_table"]

PHOTOS = ("astronaut.png", "chelsea.png", "coffee.png")
SIDE = 256
SIGMA = 25  # noise, on the 0-255 scale
BLOCKS = (64, 128)
# The kernels visit whole blocks of keys.
KEY_BLOCK = 64


def union_table(weights: Path, device: str) -> str:
    """Run noisy photographs through a network and average the shares of each stage.

    Args:
        weights: A weights file that holds the network's options ("network_g").
        device: Where to run.
    """
    state = torch.load(weights, map_location="cpu", weights_only=True)
    network = build_network(state["network_g"])
    network.load_state_dict(state.get("params_ema", state.get("params")))
    network = network.to(device).eval()
    stages = {n: m for n, m in network.named_modules() if isinstance(m, KeySemanticStage)}
    rows = []
    for k in (16, 64, 256, 512):
        setattr(network, "k", k)  # noqa: B010 - a module's attributes have no other types
        shares: dict[str, list[list[float]]] = {name: [] for name in stages}
        tokens = dict.fromkeys(stages, 0)
        for name, stage in stages.items():
            _observe(stage, shares[name], tokens, name)
        for photo in _photos(device):
            with torch.no_grad():
                network(photo)
        for name, found in shares.items():
            if found:
                means = torch.tensor(found).mean(dim=0).tolist()
                rows.append([name, str(tokens[name]), str(k), *(f"{mean:.2f}" for mean in means)])
    orders = ("raster order", "8 x 8 patches")
    columns = [f"{block} queries, {order}" for order in orders for block in BLOCKS]
    return markdown_table(["stage", "N", "k", *columns], rows)


def _observe(
    stage: KeySemanticStage, shares: list[list[float]], tokens: dict[str, int], name: str
) -> None:
    """Make a stage note the shares of every dictionary that it builds."""

    def build(*arguments: object) -> KeySemanticDictionary:
        dictionary = KeySemanticStage.build_dictionary(stage, *arguments)  # type: ignore[arg-type]
        if dictionary.bits is not None:
            mask = dictionary.mask()
            tokens[name] = dictionary.num_tokens
            patches = _patch_order(stage.window_size, mask.device)
            orders = (mask, mask[:, patches])
            shares.append([_share(order, block) for order in orders for block in BLOCKS])
        return dictionary

    stage.build_dictionary = build  # type: ignore[assignment, method-assign]


def _share(mask: Tensor, block: int) -> float:
    """Mean share of the keys that a block of queries visits, in whole blocks of keys."""
    num_tokens = mask.shape[-1]
    used = torch.stack([part.any(dim=1).sum(dim=-1) for part in mask.split(block, dim=1)])
    visited = (used + KEY_BLOCK - 1) // KEY_BLOCK * KEY_BLOCK
    return (visited / num_tokens).clamp(max=1).mean().item()


def _patch_order(side: int, device: torch.device) -> Tensor:
    """Tokens of a window in the order of its 8 x 8 patches."""
    index = torch.arange(side * side, device=device).view(side, side)
    patches = [patch for rows in index.split(8, 0) for patch in rows.split(8, 1)]
    return torch.cat([patch.flatten() for patch in patches])


def _photos(device: str) -> list[Tensor]:
    from skimage import data, io

    folder = Path(data.__file__).parent
    generator = torch.Generator().manual_seed(0)
    photos = []
    for name in PHOTOS:
        photo = torch.from_numpy(io.imread(folder / name)[:SIDE, :SIDE, :3]).permute(2, 0, 1)
        clean = photo.unsqueeze(0).float() / 255
        noise = torch.randn(clean.shape, generator=generator) * SIGMA / 255
        photos.append((clean + noise).to(device))
    return photos
