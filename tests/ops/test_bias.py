"""A table of offsets stands for the matrix of biases, in every backend."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from semanir_arch.ops import key_semantic_attention, key_semantic_dictionary
from semanir_arch.ops.attention.bias import fold, matrix, row_maximum, strips, transposed

SIDES = [1, 2, 5, 8]


def look_up(table: Tensor) -> Tensor:
    """The matrix, by the definition of the table."""
    side = (table.shape[-1] + 1) // 2
    y, x = (c.flatten() for c in torch.meshgrid(*2 * [torch.arange(side)], indexing="ij"))
    offsets = (c.unsqueeze(0) - c.unsqueeze(1) + side - 1 for c in (y, x))
    return table[(slice(None), *offsets)]


@pytest.mark.parametrize("side", SIDES)
def test_every_form_of_the_bias_says_what_the_table_says(side: int) -> None:
    table = torch.randn(3, 2 * side - 1, 2 * side - 1)
    expected, cut = look_up(table), strips(table)
    assert cut.shape == (3, side, side * (2 * side - 1))
    for bias in (cut, expected):
        assert torch.equal(matrix(bias), expected)
        assert torch.equal(matrix(transposed(bias)), expected.mT)
        assert torch.equal(row_maximum(bias), expected.amax(-1))


@pytest.mark.parametrize("side", SIDES)
def test_folding_a_gradient_is_what_autograd_does(side: int) -> None:
    cut = strips(torch.randn(2, 2 * side - 1, 2 * side - 1).double()).requires_grad_()
    gradient = torch.randn(2, side**2, side**2).double()
    (expected,) = torch.autograd.grad(matrix(cut), cut, gradient)
    torch.testing.assert_close(fold(gradient, cut), expected)
    assert fold(gradient, gradient) is gradient


@pytest.mark.parametrize(
    ("backend", "k"), [("naive", 9), ("masked", 9), ("gather", 9), ("dense", 25), ("auto", 9)]
)
def test_attention_takes_the_table_and_returns_its_gradient(backend: str, k: int) -> None:
    dictionary = key_semantic_dictionary(torch.randn(3, 25, 8), k)
    inputs = [torch.randn(3, 2, 25, 6).double().requires_grad_() for _ in range(3)]
    table = torch.randn(2, 9, 9).double().requires_grad_()
    out = key_semantic_attention(*inputs, dictionary, bias=table, backend=backend)
    expected = key_semantic_attention(*inputs, dictionary, bias=look_up(table), backend="naive")
    torch.testing.assert_close(out, expected)
    torch.testing.assert_close(
        torch.autograd.grad(out.square().sum(), [*inputs, table]),
        torch.autograd.grad(expected.square().sum(), [*inputs, table]),
    )
    with torch.no_grad():
        again = key_semantic_attention(*inputs, dictionary, bias=table, backend=backend)
    torch.testing.assert_close(again, expected)


def test_a_table_of_another_window_is_refused() -> None:
    dictionary = key_semantic_dictionary(torch.randn(3, 25, 8), 9)
    q, k, v = torch.randn(3, 3, 2, 25, 6)
    with pytest.raises(ValueError, match=r"\(2, 25, 25\) or \(2, 9, 9\), got \(2, 7, 7\)"):
        key_semantic_attention(q, k, v, dictionary, bias=torch.ones(2, 7, 7))
