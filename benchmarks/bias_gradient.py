"""Is the bfloat16 gradient of the bias as exact as its rounded inputs allow?

    python benchmarks/bias_gradient.py            on a GPU; one line per size
    TRITON_INTERPRET=1 python benchmarks/bias_gradient.py --small      two sizes, without one

The gradient of a score is p (do . v - do . o). A fused backward reads the output o as it was
stored: in bfloat16, each entry off by up to 2^-9 of itself. So 2^-9 sum |do o| of error is in the
problem, whoever computes it; where a query keeps few keys the difference cancels and nothing else
is left of the result. Per entry, with every quantity in float64, that is the allowance:

    sum over windows of p 2^-9 sum |do o|, and 2^-8 of the entry for what the result is rounded to,

plus 1e-3 of the largest for exponentials and sums in float32. The gradients handed in are of order
one ("plain"), not divided by sqrt(d) as in the tests.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from measure import header, markdown_line, markdown_rule
from torch import Tensor

from semanir_arch.ops import KeySemanticDictionary, key_semantic_attention, key_semantic_dictionary

HEADS = 2
WINDOWS = 2
BACKENDS = ("triton", "triton_union", "masked")
"""The last one is not judged: it shows what torch's own operations leave."""

SIZES = tuple(
    (tokens, head_dim, k)
    for tokens in (31, 64, 256, 1024)
    for head_dim in (32, 64, 128)
    for k in (1, 5, tokens // 2)
)
SMALL = ((31, 64, 1), (31, 64, 5))
COLUMNS = ["N", "d", "k", "implementation", "largest error", "of what it may be", "verdict"]

_ROUNDING = 2.0**-9
_FLOAT32 = 1e-3


@dataclass(frozen=True)
class Expected:
    """The gradient of the bias in float64, and how far a bfloat16 backward may be from it.

    Args:
        gradient: Shape (h, N, N).
        allowance: Allowance of the same shape; see the head of this file.
    """

    gradient: Tensor
    allowance: Tensor


def define(inputs: list[Tensor], dictionary: KeySemanticDictionary, grad: Tensor) -> Expected:
    """Compute both from the definition.

    Args:
        inputs: q, k, v of shape (nW, h, N, d) and the bias (h, N, N), bfloat16.
        dictionary: Kept keys.
        grad: Gradient of the output, shape of q.
    """
    q, k, v, bias = (x.detach().double() for x in inputs)
    dropped = ~dictionary.mask().unsqueeze(1)
    scores = q @ k.mT * q.shape[3] ** -0.5 + bias
    weights = scores.masked_fill(dropped, float("-inf")).softmax(-1)
    out, grad = weights @ v, grad.double()
    of_score = weights * (grad @ v.mT - (grad * out).sum(-1, keepdim=True))
    rounded = weights * (_ROUNDING * (grad * out).abs().sum(-1, keepdim=True))
    gradient = of_score.sum(0)
    slack = 2 * _ROUNDING * gradient.abs() + _FLOAT32 * gradient.abs().max().clamp(min=1)
    return Expected(gradient, rounded.sum(0) + slack)


def judge(actual: Tensor, expected: Expected) -> tuple[float, float]:
    """Largest error, and largest share of its allowance that an entry uses; NaN stays NaN.

    Args:
        actual: Gradient of the bias, shape (h, N, N).
        expected: Result of `define`.
    """
    error = (actual.double() - expected.gradient).abs()
    return error.max().item(), (error / expected.allowance).max().item()


def lines(device: str, sizes: tuple[tuple[int, int, int], ...]) -> Iterator[tuple[str, bool]]:
    """Lines of the table, and whether all is well with each."""
    for tokens, head_dim, k in sizes:
        shape = (WINDOWS, HEADS, tokens, head_dim)
        inputs = [torch.randn(shape, device=device).bfloat16() for _ in range(3)]
        inputs.append(torch.randn(HEADS, tokens, tokens, device=device).bfloat16())
        dictionary = key_semantic_dictionary(torch.randn(WINDOWS, tokens, 16, device=device), k)
        grad = torch.linspace(-1, 1, inputs[0].numel(), device=device).view(shape).bfloat16()
        expected = define(inputs, dictionary, grad)
        for backend in BACKENDS:
            q, keys, v, bias = (x.clone().requires_grad_() for x in inputs)
            out = key_semantic_attention(q, keys, v, dictionary, bias=bias, backend=backend)
            (actual,) = torch.autograd.grad(out, (bias,), grad)
            error, share = judge(actual, expected)
            judged = backend != BACKENDS[-1]
            good = share <= 1 or not judged
            verdict = "" if not judged else "within" if good else "TOO LARGE"
            cells = [*map(str, (tokens, head_dim, k)), backend, f"{error:.3f}", f"{share:.2f}"]
            yield markdown_line([*cells, verdict]), good


def main() -> int:
    """Print the table; 1 if an entry is off by more than its allowance."""
    parser = argparse.ArgumentParser(description="The bfloat16 gradient of the bias.")
    parser.add_argument("--small", action="store_true", help="two sizes, for the interpreter")
    small = parser.parse_args().small
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu" and os.environ.get("TRITON_INTERPRET") == "1":
        from tests.ops.interpreter import repair

        repair()
    torch.manual_seed(0)
    sys.stdout.write(header("The bfloat16 gradient of the bias") + "\n" + markdown_rule(COLUMNS))
    good = True
    for line, fine in lines(device, SMALL if small else SIZES):
        sys.stdout.write(line)
        sys.stdout.flush()
        good &= fine
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
