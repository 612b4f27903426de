"""Time the operators: `python benchmarks/bench_ops.py [--output FILE]`.

Every fast backend is checked against the definition on the very inputs before it is timed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from measure import Timing, compare, header, markdown_table

from semanir_arch.modules.attention import KeySemanticAttention
from semanir_arch.ops import KeySemanticDictionary, key_semantic_attention, key_semantic_dictionary

# One 256 x 128 feature map of the small network: 8 windows of 32 x 32 tokens, 6 heads of 30
# channels.
WINDOWS, HEADS, TOKENS, HEAD_DIM = 8, 6, 1024, 30
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 3e-2}


def main() -> None:
    """Print the report, and write it where `--output` says."""
    parser = argparse.ArgumentParser(description="Time the operators.")
    parser.add_argument("--output", type=Path, help="also write the report to this Markdown file")
    parser.add_argument("--rounds", type=int, default=15, help="measurements per candidate")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    parts = [
        header("Operators", "python benchmarks/bench_ops.py"),
        f"{WINDOWS} windows of {TOKENS} tokens, {HEADS} heads of {HEAD_DIM} channels, with bias.\n",
        "## Forward\n",
        attention_table(device, arguments.rounds, backward=False),
        "## Forward and backward, with the gradient of the bias\n",
        attention_table(device, arguments.rounds, backward=True),
        "## Building the dictionary, once per stage\n",
        dictionary_table(device, arguments.rounds),
    ]
    report = "\n".join(parts)
    sys.stdout.write(report)
    if arguments.output:
        arguments.output.write_text(report)


def attention_table(device: str, rounds: int, *, backward: bool) -> str:
    """Compare the backends with dense attention that has the same bias."""
    rows = []
    for dtype in TOLERANCE:
        for k in (512, 64):
            timings = time_attention(device, dtype, k, rounds, backward=backward)
            dense = timings["dense, same bias"]
            rows += [
                [str(dtype)[6:], str(k), name, f"{timing.median:.1f}", f"{timing.ratio(dense):.2f}"]
                for name, timing in timings.items()
            ]
    return markdown_table(["dtype", "k", "implementation", "ms", "times dense"], rows)


def time_attention(
    device: str, dtype: torch.dtype, k: int, rounds: int, *, backward: bool
) -> dict[str, Timing]:
    """Time each backend on random queries and the dictionary of random features."""
    shape = (WINDOWS, HEADS, TOKENS, HEAD_DIM)
    inputs = [torch.randn(shape, device=device, dtype=dtype) for _ in range(3)]
    inputs.append(torch.randn(HEADS, TOKENS, TOKENS, device=device, dtype=dtype))
    for tensor in inputs:
        tensor.requires_grad_(backward)
    q, key, v, bias = inputs
    dictionary = key_semantic_dictionary(
        torch.randn(WINDOWS, TOKENS, HEADS * HEAD_DIM, device=device), k
    )

    def run(backend: str) -> torch.Tensor:
        return key_semantic_attention(q, key, v, dictionary, bias=bias, backend=backend)

    def dense() -> torch.Tensor:
        return F.scaled_dot_product_attention(q, key, v, attn_mask=bias.unsqueeze(0))

    candidates = {"dense, same bias": dense, "masked": lambda: run("masked")}
    if k == 64 and not backward:
        candidates["gather"] = lambda: run("gather")
    if backward:
        return compare(
            {name: _with_backward(f, inputs) for name, f in candidates.items()}, rounds, 1
        )
    with torch.no_grad():
        expected = run("naive").double()
        for name in candidates:
            if name in ("masked", "gather"):
                error = (run(name).double() - expected).abs().max().item()
                if error > TOLERANCE[dtype]:
                    raise SystemExit(f"{name} is off by {error:.1e} in {dtype}: not timed")
        return compare(candidates, rounds)


def dictionary_table(device: str, rounds: int) -> str:
    """Compare building the dictionary with one attention layer of the stage that shares it."""
    dim = HEADS * HEAD_DIM
    layer = KeySemanticAttention(dim, HEADS, window_size=32).to(device).eval()
    x = torch.randn(WINDOWS, TOKENS, dim, device=device)
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
                },
                rounds,
            )
            base = timings["attention layer"]
            rows += [
                [str(k), n, f"{t.median:.1f}", f"{t.ratio(base):.2f}"] for n, t in timings.items()
            ]
    return markdown_table(["k", "what", "ms", "times the layer"], rows)


def _with_backward(
    forward: Callable[[], torch.Tensor], inputs: list[torch.Tensor]
) -> Callable[[], None]:
    def run() -> None:
        torch.autograd.grad(forward().sum(), inputs)

    return run


if __name__ == "__main__":
    main()
