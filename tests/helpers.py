"""What several tests share: networks of a few hundred parameters, and images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from semanir_arch.archs import build_network
from semanir_arch.utils.checkpoint import save_checkpoint

ROOT = Path(__file__).parents[1]

TINY_UNET: dict[str, Any] = {
    "type": "SemanIRUNet",
    "widths": [8],
    "depths": [1],
    "num_heads": [2],
    "window_size": 4,
    "final_depth": 0,
    "k": 8,
    "bias_dim": 8,
    "blocks": 0,
    "unshuffle": 1,
}

TINY_SR: dict[str, Any] = {
    "type": "SemanIR",
    "upscale": 2,
    "embed_dim": 8,
    "depths": [1],
    "num_heads": [2],
    "window_size": 4,
    "k": 8,
    "bias_dim": 8,
    "blocks": 0,
    "reconstructor": "pixelshuffledirect",
}

TINY: dict[str, dict[str, Any]] = {
    "SemanIR": TINY_SR,
    "SemanIRUNet": TINY_UNET,
    "Restormer": {
        "dim": 8,
        "num_blocks": [1, 1, 1, 1],
        "num_refinement_blocks": 1,
        "heads": [1, 1, 1, 1],
    },
    "RAMiT": {
        "embed_dim": 16,
        "depths": [1, 1, 1, 1],
        "bottleneck_groups": 1,
        "mix_groups": 1,
    },
}
"""For each network, arguments that make it small."""


def save_weights(path: Path, options: dict[str, Any], *, identity: bool = False) -> nn.Module:
    """Write a weights file as training does.

    Args:
        path: The file.
        options: The network's option block.
        identity: Let the network return its input; needs a `SemanIRUNet`.

    Returns:
        The network that was saved, in evaluation mode.
    """
    network = build_network(options)
    if identity:
        last = network.get_submodule("last")
        last.load_state_dict({name: 0 * value for name, value in last.state_dict().items()})
    save_checkpoint(path, {"params": network.state_dict(), "network_g": options})
    return network.eval()


def make_image(
    shape: tuple[int, ...], dtype: npt.DTypeLike = np.uint8, seed: int = 0
) -> npt.NDArray[Any]:
    """Random image; unsigned integers use their whole range, floating point [0, 1)."""
    generator = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind == "u":
        return generator.integers(0, np.iinfo(dtype).max, shape, endpoint=True).astype(dtype)
    return generator.random(shape).astype(dtype)


def make_visible(
    shape: tuple[int, ...], dtype: npt.DTypeLike = np.uint8, seed: int = 0
) -> npt.NDArray[Any]:
    """As `make_image`, without pixels so transparent that their colors are hidden."""
    image = make_image(shape, dtype, seed)
    if len(shape) == 3 and shape[2] in (2, 4):
        white = np.iinfo(image.dtype).max if image.dtype.kind == "u" else 1
        image[..., -1] = white - image[..., -1] / 2
    return image
