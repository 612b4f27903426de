"""The bias of two tokens depends on their offset alone, through the network."""

from __future__ import annotations

import math

import pytest
import torch

from semanir_arch.modules.position_bias import ContinuousPositionBias


@pytest.mark.parametrize("window", [1, 2, 5])
def test_bias_is_the_network_at_each_offset(window: int) -> None:
    module = ContinuousPositionBias(num_heads=3, window_size=window, hidden_dim=16)
    table = module()
    assert table.shape == (3, 2 * window - 1, 2 * window - 1)

    def coordinate(offset: int) -> float:
        scaled = 8 * offset / max(window - 1, 1)
        return math.copysign(math.log2(abs(scaled) + 1) / 3, scaled)

    for y in range(1 - window, window):
        for x in range(1 - window, window):
            expected = 16 * module.mlp(torch.tensor([coordinate(y), coordinate(x)])).sigmoid()
            torch.testing.assert_close(table[:, y + window - 1, x + window - 1], expected)


def test_every_parameter_gets_a_gradient() -> None:
    module = ContinuousPositionBias(num_heads=2, window_size=4, hidden_dim=8)
    module().square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())


def test_autocast_does_not_round_the_bias() -> None:
    module = ContinuousPositionBias(num_heads=2, window_size=4)
    with torch.autocast("cpu", torch.bfloat16):
        inside = module()
    assert inside.dtype == torch.float32
    assert torch.equal(inside, module())
