"""What `bench_ops.py` times: cases, their inputs, and the implementations that can run them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from semanir_arch.ops import KeySemanticDictionary, key_semantic_attention, key_semantic_dictionary
from semanir_arch.ops.attention.bias import matrix, strips
from semanir_arch.ops.backend import ATTENTION_BACKENDS, Request

__all__ = [
    "FAILURES",
    "HEADS",
    "Case",
    "Problem",
    "candidates",
    "cases",
    "check",
    "describe",
    "flex",
]

HEADS = 6
TOLERANCE = {torch.float32: 2e-5, torch.bfloat16: 4e-2}

# Larger than this, what an implementation holds per score is not worth waiting for.
_MOST_BYTES = 24 * 2**30


def _failures() -> tuple[type[Exception], ...]:
    try:
        from triton.errors import TritonError
    except ImportError:
        return (RuntimeError,)
    return (RuntimeError, TritonError)


FAILURES = _failures()
"""Errors of an implementation that cannot run: torch's errors, and those of Triton's compiler."""


@dataclass(frozen=True)
class Case:
    """One group of lines in the tables."""

    dtype: torch.dtype
    windows: int
    tokens: int
    head_dim: int
    k: int
    bias: bool
    backward: bool

    @property
    def scores(self) -> int:
        """Scores of all queries, keys and heads, kept or not."""
        return self.windows * HEADS * self.tokens**2


@dataclass(frozen=True)
class Problem:
    """Inputs of a case: queries, keys, values and, if there is one, the table of the bias."""

    inputs: list[Tensor]
    bias: Tensor | None
    dictionary: KeySemanticDictionary

    @classmethod
    def random(cls, case: Case, device: str, features: Tensor | None = None) -> Problem:
        """Draw the inputs, and unless they are given features (windows, tokens, C) to choose by."""
        shape = (case.windows, HEADS, case.tokens, case.head_dim)
        inputs = [torch.randn(shape, device=device, dtype=case.dtype) for _ in range(3)]
        bias = None
        if case.bias:
            side = 2 * round(case.tokens**0.5) - 1
            bias = torch.randn((HEADS, side, side), device=device, dtype=case.dtype)
            inputs.append(bias)
        for tensor in inputs:
            tensor.requires_grad_(case.backward)
        if features is None:
            features = torch.randn(case.windows, case.tokens, 180, device=device)
        return cls(inputs, bias, key_semantic_dictionary(features, case.k))


def cases(device: str, *, backward: bool) -> list[Case]:
    """Cases to time: on a CPU one feature map, on a GPU one change at a time from a base."""
    single, half = TOLERANCE
    if device == "cpu":
        base = Case(
            single, windows=8, tokens=1024, head_dim=30, k=512, bias=True, backward=backward
        )
        return [
            replace(base, dtype=dtype, windows=windows, tokens=tokens, k=k, bias=bias)
            for windows, tokens, keys in ((8, 1024, (512, 256, 64)), (32, 256, (128, 64)))
            for bias in (True, False)
            for dtype in (single, half)
            for k in keys
        ]
    base = Case(half, windows=64, tokens=1024, head_dim=32, k=512, bias=False, backward=backward)
    shapes = [
        base,
        *(replace(base, k=k) for k in (256, 64)),
        *(replace(base, head_dim=d) for d in (30, 64)),
        *(replace(base, windows=windows) for windows in (256, 1024)),
        replace(base, tokens=256, windows=1024, k=64),
        *(replace(base, tokens=4096, windows=16, k=k) for k in (512, 256, 64)),
        replace(base, dtype=single),
    ]
    return [replace(case, bias=bias) for case in shapes for bias in (False, True)]


def candidates(
    case: Case, problem: Problem, *, exact: bool = False
) -> dict[str, Callable[[], Tensor]]:
    """Implementations that can run a case; with `exact`, only those over kept keys."""
    q, k, v = problem.inputs[:3]
    bias, dictionary = problem.bias, problem.dictionary
    request = Request(q.device.type, q.dtype, case.tokens, case.head_dim, dictionary.k, masked=True)
    found: dict[str, Callable[[], Tensor]] = {}
    if not exact:
        found["dense"] = _dense(case, problem)
    per_score = case.scores * q.element_size()
    # The mask of all windows; joined with a bias, which differs between heads, it has all scores.
    if q.is_cuda and per_score <= _MOST_BYTES and not (case.bias and case.backward):
        mask = torch.zeros((), dtype=q.dtype, device=q.device).masked_fill(
            ~dictionary.mask().unsqueeze(1), float("-inf")
        )
        joined = mask if bias is None else mask + matrix(strips(bias))
        found["dense, float mask"] = lambda: F.scaled_dot_product_attention(
            q, k, v, attn_mask=joined
        )
    for name, backend in ATTENTION_BACKENDS.items():
        slow = {"naive": 24 * per_score, "gather": 0}.get(name, 0) > _MOST_BYTES
        slow |= name == "naive" and not q.is_cuda
        slow |= name == "gather" and (case.backward or case.k > 64 or case.windows > 64)
        if backend.why_not(request) is None and not slow:
            found[name] = partial(
                key_semantic_attention, q, k, v, dictionary, bias=bias, backend=name
            )
    return found


def _dense(case: Case, problem: Problem) -> Callable[[], Tensor]:
    """Every key: on a CPU with the same bias, on a GPU, whose fused kernels have none, without."""
    q, k, v = problem.inputs[:3]
    bias = None if q.is_cuda else problem.bias
    if bias is None:
        return lambda: F.scaled_dot_product_attention(q, k, v)
    if case.backward:
        return lambda: F.scaled_dot_product_attention(q, k, v, attn_mask=_square(bias))
    square = _square(bias)
    return lambda: F.scaled_dot_product_attention(q, k, v, attn_mask=square)


def _square(bias: Tensor) -> Tensor:
    return matrix(strips(bias)).unsqueeze(0)


def flex(problem: Problem) -> Callable[[], Tensor]:
    """FlexAttention with the kept keys as a tensor that it reads score by score."""
    from torch.nn.attention.flex_attention import flex_attention

    q, k, v = problem.inputs[:3]
    kept = problem.dictionary.mask()

    def change(score: Tensor, window: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return torch.where(kept[window, query, key], score, float("-inf"))

    attend: Callable[..., Any] = torch.compile(flex_attention, dynamic=False)
    return lambda: attend(q, k, v, score_mod=change)


def check(case: Case, problem: Problem, runs: dict[str, Callable[[], Tensor]]) -> dict[str, str]:
    """Compare with the definition in float64: name -> why it is not timed."""
    exact = [x.detach().double().requires_grad_(case.backward) for x in problem.inputs]
    q, k, v, *bias = exact
    define = partial(
        key_semantic_attention, q, k, v, problem.dictionary, bias=bias[0] if bias else None
    )
    expected = _results(partial(define, backend="naive"), exact, backward=case.backward)
    failures = {}
    for name, run in runs.items():
        try:
            actual = _results(run, problem.inputs, backward=case.backward)
        except FAILURES as error:
            failures[name] = describe(error)
            continue
        off = max(
            ((a.double() - e).abs().max() / e.abs().max().clamp(min=1)).item()
            for a, e in zip(actual, expected, strict=True)
        )
        if not off <= TOLERANCE[case.dtype]:
            failures[name] = f"off by {off:.1e}"
    return failures


def describe(error: Exception) -> str:
    """Say in a few words that, and why, something did not run."""
    return f"cannot run: {type(error).__name__}: {str(error).strip().partition(chr(10))[0][:80]}"


def _results(
    run: Callable[[], Tensor], inputs: Sequence[Tensor], *, backward: bool
) -> list[Tensor]:
    if not backward:
        with torch.no_grad():
            return [run()]
    out = run()
    weight = torch.linspace(-1, 1, out.numel(), device=out.device).view(out.shape).to(out.dtype)
    return [out.detach(), *torch.autograd.grad(out, inputs, weight)]
