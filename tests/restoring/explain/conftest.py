from __future__ import annotations

import pytest
import torch

from semanir_arch.archs import build_network
from semanir_arch.restoring.restorer import Restorer
from semanir_arch.utils.checkpoint import save_checkpoint
from tests.helpers import TINY_UNET

TWO_SCALES = TINY_UNET | {
    "widths": [8, 16],
    "depths": [1, 1],
    "num_heads": [2, 2],
    "window_size": [8, 4],
    "k": 12,
    "shift": "stage",
}


@pytest.fixture
def make_restorer(tmp_path):
    """A restorer of a network whose weights are large enough to prefer some keys."""

    def make(options=TWO_SCALES, **arguments):
        torch.manual_seed(0)
        network = build_network(options)
        for parameter in network.parameters():
            parameter.data = 0.2 * torch.randn_like(parameter)
        path = tmp_path / "net.pth"
        save_checkpoint(path, {"params": network.state_dict(), "network_g": options})
        return Restorer(path, "cpu", **arguments)

    return make
