"""Which share of a window's keys a block of queries uses, in a trained network on photographs."""

from __future__ import annotations

import torch
from measure import markdown_table
from photographs import held_out
from torch import Tensor

from semanir_arch.archs.base import KeySemanticNetwork
from semanir_arch.modules.stage import KeySemanticStage
from semanir_arch.ops import KeySemanticDictionary

__all__ = ["union_table"]

BLOCKS = (64, 128)
# The kernels visit whole blocks of keys.
KEY_BLOCK = 64


def union_table(network: KeySemanticNetwork, device: str) -> str:
    """Run noisy photographs through a network and average the shares of each stage."""
    stages = {n: m for n, m in network.named_modules() if isinstance(m, KeySemanticStage)}
    rows = []
    for k in (64, 128, 256, 512):
        network.k = k
        shares: dict[str, list[list[float]]] = {name: [] for name in stages}
        tokens = dict.fromkeys(stages, 0)
        for name, stage in stages.items():
            _observe(stage, shares[name], tokens, name)
        for photo in held_out(device):
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
