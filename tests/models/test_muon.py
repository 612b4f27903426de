"""Muon moves all directions of a matrix equally far; Adam moves the rest."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from semanir_arch.models.muon import MuonAdam, orthogonalize


@pytest.mark.parametrize("shape", [(8, 8), (8, 40), (40, 8), (64, 576)])
def test_singular_values_come_close_to_one(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0)) * 1e-3
    values = torch.linalg.svdvals(orthogonalize(matrix))
    assert values.min() > 0.6
    assert values.max() < 1.3
    # as the exact answer does, it keeps the singular vectors
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    assert torch.linalg.matrix_norm(orthogonalize(matrix) - u @ v, ord=2) < 0.45


def test_no_gradient_moves_nothing():
    assert torch.equal(orthogonalize(torch.zeros(8, 9)), torch.zeros(8, 9))


def test_a_convolution_is_a_matrix_whatever_its_layout_in_memory():
    torch.manual_seed(0)
    plain = nn.Conv2d(8, 12, 3)
    last = copy.deepcopy(plain).to(memory_format=torch.channels_last)
    x = torch.rand(2, 8, 9, 9)
    for network in (plain, last):
        optimizer = MuonAdam(network.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            network(x).square().mean().backward()
            optimizer.step()
    torch.testing.assert_close(plain.weight, last.weight, rtol=1e-2, atol=1e-3)


def test_the_step_of_a_matrix_does_not_depend_on_the_size_of_its_gradient():
    weight = nn.Parameter(torch.zeros(16, 16))
    optimizer = MuonAdam([weight], lr=0.5)
    weight.grad = torch.randn(16, 16, generator=torch.Generator().manual_seed(0)) * 1e-6
    optimizer.step()
    assert 0.3 < torch.linalg.matrix_norm(weight, ord=2) < 0.65


def test_what_is_no_matrix_gets_adam():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 8), nn.LayerNorm(8))
    other = copy.deepcopy(network)
    ours = MuonAdam(network.parameters(), adam_lr=1e-2, weight_decay=0.1, betas=(0.8, 0.95))
    adam = torch.optim.AdamW(other.parameters(), lr=1e-2, weight_decay=0.1, betas=(0.8, 0.95))
    x = torch.rand(5, 3)
    for _ in range(4):
        for model, optimizer in ((network, ours), (other, adam)):
            optimizer.zero_grad()
            model(x)[:, 0].square().mean().backward()
            optimizer.step()
    assert [len(group["params"]) for group in ours.param_groups] == [4]
    for mine, theirs in zip(network.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_it_continues_from_its_state():
    torch.manual_seed(0)
    first = nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8))
    x = torch.rand(5, 8)

    def step(network, optimizer):
        optimizer.zero_grad()
        network(x)[:, 0].square().mean().backward()
        optimizer.step()

    optimizer = MuonAdam(first.parameters())
    step(first, optimizer)
    second = copy.deepcopy(first)
    resumed = MuonAdam(second.parameters(), lr=7)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    step(first, optimizer)
    step(second, resumed)
    for mine, theirs in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_a_regression_converges_where_directions_differ_a_hundredfold():
    torch.manual_seed(0)
    x = torch.randn(256, 16) * torch.logspace(-2, 0, 16)
    target = x @ torch.randn(16, 16)
    weight = nn.Parameter(torch.zeros(16, 16))
    optimizer = MuonAdam([weight], lr=0.3)
    losses = []
    for iteration in range(150):
        optimizer.param_groups[0]["lr"] = 0.3 * (1 - iteration / 150)
        optimizer.zero_grad()
        loss = (x @ weight - target).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 1e-3 * losses[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lr": -1}, "lr=-1 must not be negative"),
        ({"momentum": 1}, r"momentum=1 must lie in \[0, 1\)"),
        ({"betas": (0.9, 1.5)}, r"betas\[1\]=1.5"),
    ],
)
def test_a_number_out_of_range_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        MuonAdam([nn.Parameter(torch.zeros(8, 8))], **arguments)
