"""Time the operators: `python benchmarks/bench_ops.py [--output FILE]`.

Every implementation that attends over kept keys is checked against the definition in float64, in
outputs and gradients, on two windows of the same kind before it is timed.

`--union --weights FILE` instead prints which share of a window's keys a block of queries uses, per
stage of a trained network, on scikit-image's photographs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from measure import Timing, compare, header, markdown_table
from torch import Tensor

from semanir_arch.modules.attention import KeySemanticAttention
from semanir_arch.ops import KeySemanticDictionary, key_semantic_attention, key_semantic_dictionary
from semanir_arch.ops.backend import ATTENTION_BACKENDS, Request

HEADS = 6
TOLERANCE = {torch.float32: 2e-5, torch.bfloat16: 4e-2}

# Exponentials per second of an H200: 16 per cycle on each of 132 processors at 1.83 GHz.
EXPONENTIAL_LIMIT = 3.86e12

_FLEX_CASE = (torch.bfloat16, 1024, 32, 512)

# Larger than this, what an implementation holds per score is not worth waiting for.
_MOST_BYTES = 24 * 2**30


@dataclass(frozen=True)
class Case:
    """One row of the tables."""

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
    """Random inputs of a case."""

    inputs: list[Tensor]
    bias: Tensor | None
    dictionary: KeySemanticDictionary

    @classmethod
    def random(cls, case: Case, device: str) -> Problem:
        """Draw queries, keys, values, bias, and features for the dictionary."""
        shape = (case.windows, HEADS, case.tokens, case.head_dim)
        inputs = [torch.randn(shape, device=device, dtype=case.dtype) for _ in range(3)]
        bias = None
        if case.bias:
            square = (HEADS, case.tokens, case.tokens)
            bias = torch.randn(square, device=device, dtype=case.dtype)
            inputs.append(bias)
        for tensor in inputs:
            tensor.requires_grad_(case.backward)
        features = torch.randn(case.windows, case.tokens, 180, device=device)
        return cls(inputs, bias, key_semantic_dictionary(features, case.k))


def main() -> None:
    """Print the report, and write it where `--output` says."""
    parser = argparse.ArgumentParser(description="Time the operators.")
    parser.add_argument("--output", type=Path, help="also write the report to this Markdown file")
    parser.add_argument("--rounds", type=int, default=9, help="measurements per candidate")
    parser.add_argument("--union", action="store_true", help="print the share of keys in use")
    parser.add_argument("--weights", type=Path, help="weights file of a network, for --union")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if arguments.union:
        if arguments.weights is None:
            parser.error("--union needs --weights FILE")
        from union_ratio import union_table

        parts = [
            header("Keys in use", f"bench_ops.py --union --weights {arguments.weights.name}"),
            union_table(arguments.weights, device),
        ]
    else:
        parts = [
            header("Operators", "python benchmarks/bench_ops.py"),
            "Random inputs, 6 heads. `dense` attends to every key, with the same bias if there is "
            "one.\n",
            attention_table(device, arguments.rounds),
            "## Building the dictionary, once per stage\n",
            dictionary_table(device, arguments.rounds),
        ]
    report = "\n".join(parts)
    sys.stdout.write(report)
    if arguments.output:
        arguments.output.write_text(report)


def cases(device: str) -> list[Case]:
    """What is timed: on a CPU one feature map, on a GPU one change at a time from a base."""
    dtypes = tuple(TOLERANCE)
    if device == "cpu":
        base = Case(dtypes[0], windows=8, tokens=1024, head_dim=30, k=512, bias=True, backward=True)
        return [
            replace(base, dtype=dtype, k=k, backward=backward)
            for backward in (False, True)
            for dtype in dtypes
            for k in (512, 64)
        ]
    base = Case(dtypes[1], windows=64, tokens=1024, head_dim=32, k=512, bias=False, backward=False)
    shapes = [
        base,
        *(replace(base, k=k) for k in (256, 64)),
        *(replace(base, head_dim=d) for d in (30, 64)),
        *(replace(base, windows=windows) for windows in (256, 1024)),
        replace(base, tokens=256, windows=1024, k=64),
        *(replace(base, tokens=4096, windows=16, k=k) for k in (512, 64)),
        replace(base, dtype=torch.float32),
    ]
    return [
        replace(case, bias=bias, backward=backward)
        for backward in (False, True)
        for bias in (False, True)
        for case in shapes
    ]


def candidates(
    case: Case, problem: Problem, *, exact: bool = False
) -> dict[str, Callable[[], Tensor]]:
    """Implementations that can run a case; with `exact`, only those over kept keys."""
    q, k, v = problem.inputs[:3]
    bias, dictionary = problem.bias, problem.dictionary
    request = Request(q.device.type, q.dtype, case.tokens, case.head_dim, dictionary.k, masked=True)
    found: dict[str, Callable[[], Tensor]] = {}
    if not exact:
        extra = None if bias is None else bias.unsqueeze(0)
        found["dense"] = lambda: F.scaled_dot_product_attention(q, k, v, attn_mask=extra)
    per_score = case.scores * q.element_size()
    # The mask of all windows; joined with a bias, which differs between heads, it has all scores.
    if q.is_cuda and per_score <= _MOST_BYTES and not (case.bias and case.backward):
        mask = torch.zeros((), dtype=q.dtype, device=q.device).masked_fill(
            ~dictionary.mask().unsqueeze(1), float("-inf")
        )
        joined = mask if bias is None else mask + bias
        found["dense, float mask"] = lambda: F.scaled_dot_product_attention(
            q, k, v, attn_mask=joined
        )
    # Compiling it takes longer than everything else: once per direction, with and without bias.
    if q.is_cuda and case.windows <= 64 and _kind(case) == _FLEX_CASE:
        found["FlexAttention"] = _flex(problem)
    for name, backend in ATTENTION_BACKENDS.items():
        slow = {"naive": 24 * per_score, "gather": 0}.get(name, 0) > _MOST_BYTES
        slow |= name == "naive" and not q.is_cuda
        slow |= name == "gather" and (case.backward or case.k > 64 or case.windows > 64)
        if backend.why_not(request) is None and not slow:
            found[name] = partial(
                key_semantic_attention, q, k, v, dictionary, bias=bias, backend=name
            )
    return found


def attention_table(device: str, rounds: int) -> str:
    """Check, then time, every implementation on every case."""
    rows = []
    for case in cases(device):
        failures = check(case, device)
        problem = Problem.random(case, device)
        runs = candidates(case, problem)
        steps: dict[str, Callable[[], object]] = {
            name: _with_backward(run, problem.inputs) if case.backward else run
            for name, run in runs.items()
            if name not in failures
        }
        peaks = {name: _peak(step) for name, step in steps.items()}
        with torch.set_grad_enabled(case.backward):
            timings = compare(steps, rounds, 1)
        rows += [
            _row(case, name, timing, timings["dense"], peaks[name])
            for name, timing in timings.items()
        ]
        rows += [[*_words(case), name, reason, *[""] * 4] for name, reason in failures.items()]
        del problem, runs, steps
    columns = ["dtype", "N", "k", "d", "windows", "bias", "pass", "implementation", "ms"]
    columns += ["times dense", "peak MB", "T scores/s", "of the exponential limit"]
    return markdown_table(columns, rows)


def check(case: Case, device: str) -> dict[str, str]:
    """Compare with the definition on two windows: name -> why it is not timed."""
    small = replace(case, windows=2)
    problem = Problem.random(small, device)
    exact = [x.detach().double().requires_grad_(case.backward) for x in problem.inputs]
    q, k, v, *bias = exact
    define = partial(
        key_semantic_attention, q, k, v, problem.dictionary, bias=bias[0] if bias else None
    )
    expected = _results(partial(define, backend="naive"), exact, backward=case.backward)
    failures = {}
    for name, run in candidates(small, problem, exact=True).items():
        try:
            actual = _results(run, problem.inputs, backward=case.backward)
        except RuntimeError as reason:
            failures[name] = f"cannot run: {str(reason).splitlines()[0][:80]}"
            continue
        error = max(
            ((a.double() - e).abs().max() / e.abs().max().clamp(min=1)).item()
            for a, e in zip(actual, expected, strict=True)
        )
        if not error <= TOLERANCE[case.dtype]:
            failures[name] = f"off by {error:.1e}"
    return failures


def dictionary_table(device: str, rounds: int) -> str:
    """Compare building the dictionary with one attention layer of the stage that shares it."""
    windows, tokens, dim = (8 if device == "cpu" else 64), 1024, HEADS * 30
    layer = KeySemanticAttention(dim, HEADS, window_size=32).to(device).eval()
    x = torch.randn(windows, tokens, dim, device=device)
    rows = []
    with torch.no_grad():
        for k in (512, 64):
            dictionary: KeySemanticDictionary = key_semantic_dictionary(x, k)
            build = partial(key_semantic_dictionary, x, k)
            timings = compare(
                {
                    "attention layer": partial(layer, x, dictionary),
                    "dictionary": build,
                    "dictionary, stable sort": partial(build, backend="naive"),
                    "lists of the keys in use": partial(_list_keys, dictionary),
                },
                rounds,
            )
            base = timings["attention layer"]
            rows += [
                [str(k), n, f"{t.median:.2f}", f"{t.ratio(base):.2f}"] for n, t in timings.items()
            ]
    return markdown_table(["k", "what", "ms", "times the layer"], rows)


def _kind(case: Case) -> tuple[torch.dtype, int, int, int]:
    return case.dtype, case.tokens, case.head_dim, case.k


def _list_keys(dictionary: KeySemanticDictionary) -> None:
    # A copy has no lists yet.
    replace(dictionary).union(128)


def _flex(problem: Problem) -> Callable[[], Tensor]:
    """FlexAttention with the kept keys as a tensor that it reads score by score."""
    from torch.nn.attention.flex_attention import flex_attention

    q, k, v = problem.inputs[:3]
    bias, kept = problem.bias, problem.dictionary.mask()

    def change(score: Tensor, window: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        if bias is not None:
            score = score + bias[head, query, key]
        return torch.where(kept[window, query, key], score, float("-inf"))

    attend: Callable[..., Any] = torch.compile(flex_attention, dynamic=False)
    return lambda: attend(q, k, v, score_mod=change)


def _results(run: Callable[[], Tensor], inputs: list[Tensor], *, backward: bool) -> list[Tensor]:
    if not backward:
        with torch.no_grad():
            return [run()]
    out = run()
    weight = torch.linspace(-1, 1, out.numel(), device=out.device).view(out.shape).to(out.dtype)
    return [out.detach(), *torch.autograd.grad(out, inputs, weight)]


def _with_backward(forward: Callable[[], Tensor], inputs: list[Tensor]) -> Callable[[], object]:
    return lambda: torch.autograd.grad(forward().sum(), inputs)


def _peak(step: Callable[[], object]) -> str:
    """Memory beyond the inputs, in MB, where torch counts it."""
    if not torch.cuda.is_available():
        return ""
    step()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    step()
    return f"{(torch.cuda.max_memory_allocated() - before) / 2**20:.0f}"


def _words(case: Case) -> list[str]:
    numbers = (case.tokens, case.k, case.head_dim, case.windows)
    direction = "forward and backward" if case.backward else "forward"
    return [str(case.dtype)[6:], *map(str, numbers), "yes" if case.bias else "no", direction]


def _row(case: Case, name: str, timing: Timing, dense: Timing, peak: str) -> list[str]:
    rate = case.scores / (timing.median * 1e-3)
    share = f"{rate / EXPONENTIAL_LIMIT:.0%}" if torch.cuda.is_available() else ""
    cells = [f"{timing.median:.2f}", f"{timing.ratio(dense):.2f}", peak, f"{rate / 1e12:.2g}"]
    return [*_words(case), name, *cells, share]


if __name__ == "__main__":
    main()
