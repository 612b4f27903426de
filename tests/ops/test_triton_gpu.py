"""The fused kernels on a GPU, at full size."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from semanir_arch.ops import (
    KeySemanticDictionary,
    key_semantic_attention,
    key_semantic_dictionary,
)
from semanir_arch.ops.dictionary import naive
from semanir_arch.ops.dictionary.fused import select_bits
from semanir_arch.ops.dictionary.packed_bits import pack

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]

BACKENDS = ("triton", "triton_union")
TOKENS = (1, 31, 64, 70, 100, 128, 256, 1024)
TOLERANCE = {torch.float32: 2e-5, torch.bfloat16: 4e-2, torch.float16: 5e-3}


@pytest.fixture(autouse=True)
def _poisoned(monkeypatch):
    """New memory holds NaN, so that nothing passes that was never written."""
    new_empty, empty_like = Tensor.new_empty, torch.empty_like

    def poison(x):
        return x.fill_(float("nan")) if x.is_floating_point() else x

    monkeypatch.setattr(Tensor, "new_empty", lambda *a, **kw: poison(new_empty(*a, **kw)))
    monkeypatch.setattr(torch, "empty_like", lambda *a, **kw: poison(empty_like(*a, **kw)))


def kept(tokens) -> list[int]:
    return sorted({1, min(5, tokens), min(64, tokens), tokens})


def make_inputs(tokens, head_dim, *, bias=True, windows=2, dtype=torch.float32) -> list[Tensor]:
    shapes = [(windows, 3, tokens, head_dim)] * 3 + [(3, tokens, tokens)] * bias
    return [torch.randn(s, device="cuda").to(dtype).requires_grad_() for s in shapes]


def make_dictionary(tokens, k, windows=2) -> KeySemanticDictionary:
    x = torch.randn(windows, tokens, 16, device="cuda")
    return key_semantic_dictionary(x, k)


def run_with_gradients(inputs, dictionary, backend) -> list[Tensor]:
    q, k, v, *bias = inputs
    out = key_semantic_attention(
        q, k, v, dictionary, bias=bias[0] if bias else None, backend=backend
    )
    # Gradients of scores are differences of products of d channels; those then are of order one,
    # like the scores, also where they cancel because a single key is kept.
    weight = torch.linspace(-1, 1, out.numel(), device="cuda").view(out.shape) / q.shape[3] ** 0.5
    weight = weight.to(q.dtype)
    return [out.detach(), *torch.autograd.grad(out, inputs, weight)]


def assert_as_defined(inputs, dictionary, backend) -> None:
    exact = [x.detach().double().requires_grad_() for x in inputs]
    expected = run_with_gradients(exact, dictionary, "naive")
    actual = run_with_gradients(inputs, dictionary, backend)
    for name, a, e in zip(("output", "dq", "dk", "dv", "dbias"), actual, expected, strict=False):
        error = (a.double() - e).abs().max() / e.abs().max().clamp(min=1)
        assert error <= TOLERANCE[inputs[0].dtype], f"{name} is off by {error:.2e}"


@pytest.mark.parametrize("head_dim", [14, 16, 30, 32, 36, 64])
@pytest.mark.parametrize("tokens", TOKENS)
def test_outputs_and_gradients_equal_the_definition(tokens, head_dim):
    inputs = make_inputs(tokens, head_dim, dtype=torch.bfloat16)
    for k in kept(tokens):
        dictionary = make_dictionary(tokens, k)
        for backend in BACKENDS if k < tokens else BACKENDS[:1]:
            assert_as_defined(inputs, dictionary, backend)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("tokens", "head_dim"), [(31, 14), (64, 36), (256, 64), (1024, 30)])
def test_float32_and_no_bias_equal_the_definition(tokens, head_dim, bias):
    for dtype in (torch.float32,) if bias else (torch.float32, torch.bfloat16):
        inputs = make_inputs(tokens, head_dim, bias=bias, dtype=dtype)
        for backend in BACKENDS:
            assert_as_defined(inputs, make_dictionary(tokens, 5), backend)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("side", [7, 8, 16, 32])
def test_a_table_of_the_bias_equals_its_matrix(side, backend):
    tokens = side * side
    inputs = make_inputs(tokens, 30, bias=False, dtype=torch.bfloat16)
    table = torch.randn(3, 2 * side - 1, 2 * side - 1, device="cuda").bfloat16().requires_grad_()
    assert_as_defined([*inputs, table], make_dictionary(tokens, 20), backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_wide_heads_equal_the_definition(backend):
    inputs = make_inputs(256, 128, dtype=torch.bfloat16)
    assert_as_defined(inputs, make_dictionary(256, 5), backend)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("tokens", TOKENS)
def test_logarithm_of_the_sum_is_that_of_the_kept_scores(tokens, dtype):
    q, k, v, bias = make_inputs(tokens, 30, dtype=dtype)
    for count in kept(tokens):
        dictionary = make_dictionary(tokens, count)
        _, lse = torch.ops.semanir.fused_attention(
            q, k, v, dictionary.bits, bias, 0.25, None, None, None, 0
        )
        scores = q.double() @ k.double().mT * 0.25 + bias.double()
        scores = scores.masked_fill(~dictionary.mask().unsqueeze(1), float("-inf"))
        expected = scores.logsumexp(-1) / math.log(2)
        torch.testing.assert_close(lse.double(), expected, rtol=0, atol=TOLERANCE[dtype])


def test_strided_inputs_and_an_expanded_gradient_equal_their_copies():
    dictionary = make_dictionary(100, 20)
    packed = torch.randn(2, 100, 3, 2, 30, device="cuda", requires_grad=True)
    results = []
    for name in (*BACKENDS, "naive"):
        q, k, v = packed.permute(2, 0, 3, 1, 4).unbind(0)
        out = key_semantic_attention(q, k, v, dictionary, backend=name)
        results.append((out, *torch.autograd.grad(out.sum(), packed)))
    for result in results[:2]:
        torch.testing.assert_close(result, results[2], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("tokens", "head_dim"), [(70, 16), (1024, 30)])
def test_float16_equals_the_definition(tokens, head_dim, backend):
    inputs = make_inputs(tokens, head_dim, dtype=torch.float16)
    assert_as_defined(inputs, make_dictionary(tokens, 20), backend)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("backend", BACKENDS)
def test_unselected_keys_200_above_have_no_weight(backend, dtype):
    mask = torch.rand(1, 256, 256, device="cuda") < 0.3
    mask[:, :, 0], mask[:, :, 100:] = True, False
    dictionary = KeySemanticDictionary(pack(mask), 1, 256, 100, mask.device)
    q, k, v = make_inputs(256, 16, bias=False, windows=1, dtype=dtype)
    with torch.no_grad():
        q[..., 0] = 20
        k[..., 0] = torch.where(mask[0].any(0), 0, 40).to(dtype)
    assert_as_defined([q, k, v], dictionary, backend)


@pytest.mark.parametrize("tokens", [1, 31, 70, 256, 1024, 4096])
@pytest.mark.parametrize("k", [1, 64, 512])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_selection_equals_a_stable_sort_where_similarities_tie(tokens, k, dtype):
    x = torch.randint(-2, 3, (2, tokens, 6), device="cuda").float()
    groups = torch.randint(0, 3, (2, tokens), device="cuda")
    k = min(k, tokens)
    assert torch.equal(select_bits(x.to(dtype), k, None), pack(naive.select(x, k)))
    assert torch.equal(select_bits(x.to(dtype), k, groups), pack(naive.select(x, k, groups)))


def test_selection_is_exact_where_torch_may_use_tf32():
    torch.set_float32_matmul_precision("high")
    try:
        x = torch.randn(4, 1024, 180, device="cuda")
        mask = key_semantic_dictionary(x, 50).mask()
    finally:
        torch.set_float32_matmul_precision("highest")
    similarity = x.double() @ x.double().mT
    kept = similarity.masked_fill(~mask, float("inf")).amin(-1)
    dropped = similarity.masked_fill(mask, float("-inf")).amax(-1)
    assert (kept >= dropped - 2e-4).all()
    assert (mask.sum(-1) == 50).all()


def test_more_windows_than_a_grid_axis_holds():
    windows = 70_000
    inputs = make_inputs(16, 16, bias=False, windows=windows, dtype=torch.bfloat16)
    x = torch.randn(windows, 16, 4, device="cuda")
    dictionary = key_semantic_dictionary(x, 5)
    assert_as_defined(inputs, dictionary, "triton")


def test_results_do_not_vary():
    inputs = make_inputs(256, 30, windows=64, dtype=torch.bfloat16)
    dictionary = make_dictionary(256, 64, windows=64)
    first = run_with_gradients(inputs, dictionary, "triton")
    again = run_with_gradients(inputs, dictionary, "triton")
    assert all(map(torch.equal, first, again))


def test_memory_grows_with_the_tokens_not_with_their_pairs():
    inputs = make_inputs(4096, 32, bias=False, windows=4, dtype=torch.bfloat16)
    dictionary = make_dictionary(4096, 512, windows=4)
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run_with_gradients(inputs, dictionary, "triton")
    peak = torch.cuda.max_memory_allocated() - before
    # Output, three gradients, the weight in two dtypes, sums of rows: a dozen times the queries.
    assert peak < 20 * inputs[0].nbytes


def test_kernels_compile_as_one_graph():
    dictionary = make_dictionary(128, 20)
    inputs = make_inputs(128, 30, dtype=torch.bfloat16)
    expected = run_with_gradients(inputs, dictionary, "triton")

    @torch.compile(fullgraph=True)
    def attend(q, k, v, bias):
        return key_semantic_attention(q, k, v, dictionary, bias=bias, backend="triton")

    torch.testing.assert_close(attend(*inputs).detach(), expected[0])
