"""The networks whose trainings are compared: SemanIR, its controls, and others of its size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

import semanir_arch.plugin  # noqa: F401 - makes BasicSR importable
from semanir_arch.archs.ramit_arch import RAMiT
from semanir_arch.archs.restormer_arch import Restormer
from semanir_arch.archs.semanir_arch import SemanIR
from semanir_arch.modules.stage import KeySemanticStage
from semanir_arch.modules.window import window_partition, window_reverse
from semanir_arch.ops import KeySemanticDictionary, key_semantic_dictionary
from semanir_arch.ops.dictionary.packed_bits import pack

__all__ = ["MANY", "VARIANTS", "WINDOW", "Variant", "dictionary_overlap", "set_keys"]

WINDOW, WIDTH, LAYERS, HEADS = 16, 48, (4, 4), (3, 3)
TOKENS = WINDOW**2
KEYS = 64
"""Keys per token unless a variant says otherwise: a quarter of the window, as 256 are of 1024."""


@dataclass(frozen=True)
class Variant:
    """One network under comparison.

    Args:
        name: Name in tables and file names.
        what: Description in words.
        build: Function that builds the network with fresh weights from PyTorch's global random
            state.
        keys: Keys per token in training, or numbers to draw from in each iteration; empty where
            the network has no dictionary.
    """

    name: str
    what: str
    build: Callable[[], nn.Module]
    keys: tuple[int, ...] = ()


class ControlStage(nn.Module):
    """The layers of a stage, with keys that something else than the stage's features chooses.

    Args:
        stage: Stage whose layers and convolution are used; same seed, same initial weights.
        choice: "layer" (a dictionary of each layer's own input), "random" (drawn anew each time),
            "near" (the nearest in space) or "grid" (every second row and column).
    """

    bits: Tensor

    def __init__(self, stage: KeySemanticStage, choice: str) -> None:
        super().__init__()
        self.layers, self.conv = stage.layers, stage.conv
        self.choice, self.k = choice, stage.k
        if choice in _PATTERNS:
            self.register_buffer("bits", pack(_PATTERNS[choice](self.k)), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H, W); H and W multiples of the window."""
        windows = window_partition(x, WINDOW)
        shared = None if self.choice == "layer" else self.dictionary(windows)
        for layer in self.layers:
            windows = layer(windows, shared or key_semantic_dictionary(windows, self.k))
        return x + self.conv(window_reverse(windows, WINDOW, x.shape[0], *x.shape[-2:]))

    def dictionary(self, windows: Tensor) -> KeySemanticDictionary:
        """Keys that do not depend on the features, for windows (nW, N, C)."""
        count = windows.shape[0]
        if self.choice == "random":
            # anew in each iteration of a training, the same in each test
            fixed = None if self.training else torch.Generator().manual_seed(0)
            scores = torch.rand(count, TOKENS, TOKENS, generator=fixed)
            bits = pack(_highest(scores, self.k))
        else:
            bits = self.bits.expand(count, -1, -1).contiguous()
        return KeySemanticDictionary(bits, count, TOKENS, self.k, windows.device)


def set_keys(network: nn.Module, k: int) -> None:
    """Let all stages keep `k` keys per token."""
    for module in network.modules():
        if isinstance(module, KeySemanticStage | ControlStage):
            module.k = k


@torch.no_grad()
def dictionary_overlap(network: nn.Module, image: Tensor) -> list[list[float]]:
    """How much of its own dictionary each layer finds in the one that its stage shares.

    Args:
        network: A SemanIR.
        image: (B, C, H, W), H and W multiples of the window.

    Returns:
        For each stage, for each layer: the mean share of the k keys that a dictionary of the
        layer's own input would have in common with the stage's. 1 for the first, by definition.
    """
    shares: list[list[float]] = []
    hooks = []

    def look(stage: KeySemanticStage) -> Callable[..., None]:
        def hook(_: nn.Module, inputs: tuple[Any, ...]) -> None:
            windows, shared = inputs[0], inputs[1]
            own = key_semantic_dictionary(windows, stage.k)
            common = (own.mask() & shared.mask()).sum(-1).float() / stage.k
            shares[-1].append(common.mean().item())

        return hook

    def begin(*_: object) -> None:
        shares.append([])

    for stage in network.modules():
        if isinstance(stage, KeySemanticStage):
            hooks.append(stage.register_forward_pre_hook(begin))
            hooks += [layer.register_forward_pre_hook(look(stage)) for layer in stage.layers]
    try:
        network(image)
    finally:
        for handle in hooks:
            handle.remove()
    return shares


def _highest(scores: Tensor, k: int) -> Tensor:
    """Mask of the k highest entries of each row."""
    kept = torch.zeros_like(scores, dtype=torch.bool)
    return kept.scatter_(-1, scores.topk(k, dim=-1).indices, value=True)


def _near(k: int) -> Tensor:
    """The k tokens nearest in space, ties to the lower index; shape (1, N, N)."""
    place = torch.cartesian_prod(torch.arange(WINDOW), torch.arange(WINDOW)).double()
    distance = torch.cdist(place, place).square().round() * TOKENS + torch.arange(TOKENS)
    return _highest(-distance, k)[None]


def _grid(k: int) -> Tensor:
    """Tokens in every second row and column from the token's own, k of them; shape (1, N, N)."""
    if 4 * k != TOKENS:
        raise ValueError(f"k={k}: the grid keeps a quarter of the {TOKENS} tokens")
    place = torch.cartesian_prod(torch.arange(WINDOW), torch.arange(WINDOW))
    return ((place[:, None] - place[None]) % 2 == 0).all(-1)[None]


_PATTERNS: dict[str, Callable[[int], Tensor]] = {"near": _near, "grid": _grid}


def _semanir(k: int = KEYS, choice: str | None = None) -> nn.Module:
    network = SemanIR(
        upscale=1, embed_dim=WIDTH, depths=LAYERS, num_heads=HEADS, window_size=WINDOW, k=k,
        bias_dim=64,
    )  # fmt: skip
    if choice is not None:
        stages = cast("list[KeySemanticStage]", list(network.stages))
        network.stages = nn.ModuleList(ControlStage(stage, choice) for stage in stages)
    return network


def _swinir() -> nn.Module:
    from basicsr.archs.swinir_arch import SwinIR

    return SwinIR(
        img_size=64, window_size=8, embed_dim=WIDTH, depths=LAYERS, num_heads=HEADS, mlp_ratio=2,
        upscale=1, upsampler="", drop_path_rate=0.0,
    )  # fmt: skip


def _restormer() -> nn.Module:
    return Restormer(dim=8, num_blocks=(1, 1, 1, 1), num_refinement_blocks=4, heads=(1, 1, 2, 2))


def _ramit() -> nn.Module:
    return RAMiT(
        task="denoising_color", embed_dim=32, depths=(4, 4, 4, 4), bottleneck_groups=2,
        mix_groups=2,
    )  # fmt: skip


MANY = (16, 32, 64, 96, 128)
"""Numbers of keys that `k_drawn` draws from."""

VARIANTS = {
    variant.name: variant
    for variant in (
        Variant("semanir", "one dictionary per stage, k 64", _semanir, (KEYS,)),
        Variant("per_layer", "a dictionary per layer, k 64", lambda: _semanir(choice="layer")),
        Variant("dense", "dense windows", lambda: _semanir(TOKENS), (TOKENS,)),
        Variant("random", "64 random keys", lambda: _semanir(choice="random")),
        Variant("near", "the 64 nearest in space", lambda: _semanir(choice="near")),
        Variant("grid", "every second row and column (64)", lambda: _semanir(choice="grid")),
        Variant("k128", "k 128 in training (half the window)", lambda: _semanir(128), (128,)),
        Variant("k16", "k 16 in training", lambda: _semanir(16), (16,)),
        Variant("k_drawn", "k drawn from 16 to 128", _semanir, MANY),
        Variant("swinir", "SwinIR, window 8", _swinir),
        Variant("restormer", "Restormer", _restormer),
        Variant("ramit", "RAMiT", _ramit),
    )
}  # fmt: skip
