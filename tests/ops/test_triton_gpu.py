"""The fused kernels on a GPU, at full size."""

from __future__ import annotations

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
from semanir_arch.ops.dictionary.packing import pack

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]

BACKENDS = ("triton", "triton_union")
TOLERANCE = {torch.float32: 2e-5, torch.bfloat16: 4e-2, torch.float16: 5e-3}


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
    weight = torch.linspace(-1, 1, out.numel(), device="cuda").view(out.shape).to(out.dtype)
    return [out.detach(), *torch.autograd.grad(out, inputs, weight)]


def assert_as_defined(inputs, dictionary, backend) -> None:
    exact = [x.detach().double().requires_grad_() for x in inputs]
    expected = run_with_gradients(exact, dictionary, "naive")
    actual = run_with_gradients(inputs, dictionary, backend)
    for name, a, e in zip(("output", "dq", "dk", "dv", "dbias"), actual, expected, strict=False):
        error = (a.double() - e).abs().max() / e.abs().max().clamp(min=1)
        assert error <= TOLERANCE[inputs[0].dtype], f"{name} is off by {error:.2e}"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("tokens", "k", "head_dim"),
    [(31, 5, 14), (64, 1, 36), (100, 64, 64), (256, 5, 128), (256, 64, 32), (1024, 512, 30)],
)
def test_outputs_and_gradients_equal_the_definition(tokens, k, head_dim, backend, bias, dtype):
    inputs = make_inputs(tokens, head_dim, bias=bias, dtype=dtype)
    assert_as_defined(inputs, make_dictionary(tokens, k), backend)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("tokens", "head_dim"), [(70, 16), (1024, 30)])
def test_float16_equals_the_definition(tokens, head_dim, backend):
    inputs = make_inputs(tokens, head_dim, dtype=torch.float16)
    assert_as_defined(inputs, make_dictionary(tokens, 20), backend)


@pytest.mark.parametrize("tokens", [1, 64, 70, 256])
def test_keeping_every_key_equals_the_definition(tokens):
    inputs = make_inputs(tokens, 30, dtype=torch.bfloat16)
    assert_as_defined(inputs, make_dictionary(tokens, tokens), "triton")


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
