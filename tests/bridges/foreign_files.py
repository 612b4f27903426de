"""Files with random weights of other projects' networks, as their trainers write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from semanir_arch import host

SWINIR: dict[str, Any] = {
    "type": "SwinIR",
    "upscale": 2,
    "in_chans": 3,
    "img_size": 16,
    "window_size": 8,
    "img_range": 1.0,
    "embed_dim": 12,
    "depths": [2, 2],
    "num_heads": [2, 2],
    "mlp_ratio": 2,
    "upsampler": "pixelshuffle",
    "resi_connection": "1conv",
}

SWINIR_JPEG = SWINIR | {
    "upscale": 1,
    "in_chans": 1,
    "img_size": 14,
    "window_size": 7,
    "img_range": 255.0,
    "upsampler": "",
}

RRDB: dict[str, Any] = {
    "type": "RRDBNet",
    "num_in_ch": 3,
    "num_out_ch": 3,
    "scale": 4,
    "num_feat": 8,
    "num_block": 1,
}


def build_basicsr(block: dict[str, Any]) -> nn.Module:
    """A network of BasicSR by its option block, in evaluation mode."""
    arguments = {key: value for key, value in block.items() if key != "type"}
    host.load("basicsr.archs")
    registry = host.load("basicsr.utils.registry").ARCH_REGISTRY
    torch.manual_seed(0)
    network: nn.Module = registry.get(block["type"])(**arguments)
    return network.eval()


def save_basicsr(path: Path, block: dict[str, Any], *, named: bool = True) -> nn.Module:
    """Write such a network's file, with or without its option block; returns the network."""
    network = build_basicsr(block)
    torch.save({"params": network.state_dict(), **({"network_g": block} if named else {})}, path)
    return network


def build_drct() -> nn.Module:
    """DRCT, which BasicSR does not have, from spandrel's own class."""
    from spandrel.architectures.DRCT import DRCT

    torch.manual_seed(0)
    network: nn.Module = DRCT(
        img_size=16,
        embed_dim=16,
        depths=(6,),
        num_heads=(2,),
        window_size=4,
        gc=8,
        mlp_ratio=2,
        upscale=2,
        upsampler="pixelshuffle",
        resi_connection="1conv",
    )
    return network.eval()
