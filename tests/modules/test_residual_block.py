"""A residual block starts near the identity, and reaches two pixels far."""

from __future__ import annotations

import torch

from semanir_arch.modules.residual_block import ResidualBlock


def test_it_begins_near_the_identity() -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 16, 12, 12)
    with torch.no_grad():
        change = ResidualBlock(16)(x) - x
    assert 0 < change.std() < 0.1


def test_it_sees_two_pixels_far() -> None:
    x = torch.rand(1, 4, 9, 9, requires_grad=True)
    ResidualBlock(4)(x)[0, :, 4, 4].sum().backward()
    reach = x.grad.abs().sum((0, 1)) > 0
    assert reach[2:7, 2:7].any(dim=1).all()
    assert reach.sum() == reach[2:7, 2:7].sum()
