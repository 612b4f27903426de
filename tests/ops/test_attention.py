"""Every backend must agree with the definition in outputs and gradients."""

from __future__ import annotations

import shutil

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from semanir_arch.ops import key_semantic_attention, key_semantic_dictionary
from semanir_arch.ops.attention import gather, masked
from semanir_arch.ops.backend import ATTENTION_BACKENDS, Request, choose, report
from tests.each import each

FAST = ("masked", "gather")
TOLERANCE = {torch.float64: 1e-11, torch.float32: 1e-5, torch.bfloat16: 4e-2, torch.float16: 5e-3}


def make_inputs(
    tokens: int, head_dim: int, heads: int = 2, windows: int = 3, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, ...]:
    q, k, v = (torch.randn(windows, heads, tokens, head_dim).to(dtype) for _ in range(3))
    bias = torch.randn(heads, tokens, tokens).to(dtype)
    return tuple(x.requires_grad_() for x in (q, k, v, bias))


def run_with_gradients(
    inputs: tuple[Tensor, ...], dictionary, backend: str, **kwargs
) -> list[Tensor]:
    q, k, v, *bias = inputs
    out = key_semantic_attention(
        q, k, v, dictionary, bias=bias[0] if bias else None, backend=backend, **kwargs
    )
    weight = torch.linspace(-1, 1, out.numel(), dtype=torch.float32).view(out.shape).to(out.dtype)
    return [out.detach(), *torch.autograd.grad(out, inputs, weight)]


def assert_close(actual: list[Tensor], expected: list[Tensor], dtype: torch.dtype) -> None:
    for name, a, e in zip(("output", "dq", "dk", "dv", "dbias"), actual, expected, strict=False):
        error = (a.double() - e.double()).abs().max() / e.double().abs().max().clamp(min=1)
        assert error <= TOLERANCE[dtype], f"{name} is off by {error:.2e}"


@each("backend", FAST)
@each("head_dim", [14, 16, 30, 32, 36, 64])
@each("tokens", [1, 31, 64, 70, 100, 128])
def test_backend_equals_the_definition(backend: str, tokens: int, head_dim: int) -> None:
    inputs = make_inputs(tokens, head_dim)
    for k in sorted({1, min(5, tokens), min(64, tokens), tokens}):
        dictionary = key_semantic_dictionary(torch.randn(3, tokens, 8), k)
        if dictionary.bits is None and backend == "gather":
            continue
        expected = run_with_gradients(inputs, dictionary, "naive")
        assert_close(run_with_gradients(inputs, dictionary, backend), expected, torch.float64)


@pytest.mark.parametrize("backend", FAST)
@pytest.mark.parametrize(("tokens", "k"), [(256, 64), (256, 1), (1024, 64)])
def test_large_windows_equal_the_definition(backend: str, tokens: int, k: int) -> None:
    inputs = make_inputs(tokens, head_dim=30, heads=1, windows=1)
    dictionary = key_semantic_dictionary(torch.randn(1, tokens, 8), k)
    expected = run_with_gradients(inputs, dictionary, "naive")
    assert_close(run_with_gradients(inputs, dictionary, backend), expected, torch.float64)


@pytest.mark.parametrize("backend", FAST)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_backend_equals_the_definition_in_lower_precision(backend: str, dtype: torch.dtype) -> None:
    dictionary = key_semantic_dictionary(torch.randn(3, 64, 8), 16)
    inputs = make_inputs(64, head_dim=30, dtype=dtype)
    exact = tuple(x.detach().double().requires_grad_() for x in inputs)
    expected = run_with_gradients(exact, dictionary, "naive")
    actual = run_with_gradients(inputs, dictionary, backend)
    assert [x.dtype for x in actual] == [dtype] * 5
    assert_close(actual, expected, dtype)


@pytest.mark.parametrize("backend", FAST)
def test_bias_and_scale_are_optional(backend: str) -> None:
    dictionary = key_semantic_dictionary(torch.randn(3, 64, 8), 7)
    inputs = make_inputs(64, head_dim=16)[:3]
    expected = run_with_gradients(inputs, dictionary, "naive", scale=0.3)
    assert_close(
        run_with_gradients(inputs, dictionary, backend, scale=0.3), expected, torch.float64
    )


@pytest.mark.parametrize("backend", ["naive", *FAST])
def test_rows_with_fewer_eligible_keys_attend_to_those(backend: str) -> None:
    groups = torch.zeros(3, 64, dtype=torch.long)
    groups[:, :3] = 1
    dictionary = key_semantic_dictionary(torch.randn(3, 64, 8), 20, groups=groups)
    q, k, v, bias = make_inputs(64, head_dim=16)
    out = key_semantic_attention(q, k, v, dictionary, bias=bias, backend=backend)
    alone = F.scaled_dot_product_attention(
        q[:, :, :3], k[:, :, :3], v[:, :, :3], attn_mask=bias[None, :, :3, :3]
    )
    torch.testing.assert_close(out[:, :, :3], alone)


@pytest.mark.parametrize("backend", FAST)
def test_unselected_keys_have_no_weight_however_large_their_score(backend: str) -> None:
    dictionary = key_semantic_dictionary(torch.randn(1, 64, 8), 10)
    q, k, v, _ = make_inputs(64, head_dim=16, windows=1)
    bias = torch.where(dictionary.mask(), 0.0, 200.0).double().expand(2, -1, -1)
    actual = key_semantic_attention(q, k, v, dictionary, bias=bias, backend=backend)
    expected = key_semantic_attention(q, k, v, dictionary, backend="naive")
    torch.testing.assert_close(actual, expected)


@each("backend", ["auto", "dense", "masked", "naive"])
@each("with_bias", [True, False])
def test_keeping_every_key_is_dense_attention(backend: str, with_bias: bool) -> None:
    dictionary = key_semantic_dictionary(torch.randn(3, 36, 8), 36)
    inputs = make_inputs(36, head_dim=14)
    bias = inputs[3] if with_bias else None
    out = key_semantic_attention(*inputs[:3], dictionary, bias=bias, backend=backend)
    expected = F.scaled_dot_product_attention(
        *inputs[:3], attn_mask=None if bias is None else bias.unsqueeze(0)
    )
    torch.testing.assert_close(out, expected)
    used = inputs if with_bias else inputs[:3]
    torch.testing.assert_close(
        torch.autograd.grad(out.square().sum(), used),
        torch.autograd.grad(expected.square().sum(), used),
    )


@pytest.mark.parametrize("backend", FAST)
def test_nothing_is_left_unwritten(backend: str) -> None:
    dictionary = key_semantic_dictionary(torch.randn(3, 70, 8), 11)
    inputs = make_inputs(70, head_dim=14)
    expected = run_with_gradients(inputs, dictionary, "naive")
    # In this mode torch fills new memory with NaN.
    torch.use_deterministic_algorithms(True)
    try:
        assert torch.empty(3).isnan().all()
        actual = run_with_gradients(inputs, dictionary, backend)
    finally:
        torch.use_deterministic_algorithms(False)
    assert_close(actual, expected, torch.float64)


@pytest.mark.parametrize("backend", FAST)
def test_strided_inputs_give_what_their_copies_give(backend: str) -> None:
    dictionary = key_semantic_dictionary(torch.randn(3, 40, 8), 11)
    packed = torch.randn(3, 40, 3, 2, 16, dtype=torch.float64)
    q, k, v = packed.permute(2, 0, 3, 1, 4).unbind(0)
    out = key_semantic_attention(q, k, v, dictionary, backend=backend)
    copies = [x.contiguous() for x in (q, k, v)]
    torch.testing.assert_close(out, key_semantic_attention(*copies, dictionary, backend="naive"))


@pytest.mark.parametrize(("module", "backend"), [(masked, "masked"), (gather, "gather")])
def test_chunks_of_any_size_give_the_same_result(module, backend: str, monkeypatch) -> None:
    dictionary = key_semantic_dictionary(torch.randn(5, 33, 8), 9)
    inputs = make_inputs(33, head_dim=8, windows=5)
    expected = run_with_gradients(inputs, dictionary, "naive")
    # Two windows, or three queries, at a time: neither divides the input.
    small = {"cpu": 2 * 2 * 33 * 33 * 8} if module is masked else 3 * 2 * 2 * 9 * 8 * 4
    monkeypatch.setattr(module, "_CHUNK_BYTES", small)
    assert_close(run_with_gradients(inputs, dictionary, backend), expected, torch.float64)


@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("backend", FAST)
def test_registered_operator_passes_opcheck(backend: str, with_bias: bool) -> None:
    bits = key_semantic_dictionary(torch.randn(3, 40, 8), 5).bits
    q, k, v, bias = make_inputs(40, head_dim=8, dtype=torch.float32)
    last = (bias if with_bias else None, 0.3)
    operator = masked._forward if backend == "masked" else gather._forward
    arguments = (q, k, v, bits, *last) if backend == "masked" else (q, k, v, bits, 5, *last)
    torch.library.opcheck(operator, arguments)


def test_named_backend_that_cannot_run_says_why_and_who_can() -> None:
    dictionary = key_semantic_dictionary(torch.randn(3, 40, 8), 5)
    q, k, v, _ = make_inputs(40, head_dim=8)
    with pytest.raises(NotImplementedError, match=r"'dense'.*only k=5 of 40 keys.*masked"):
        key_semantic_attention(q, k, v, dictionary, backend="dense")


def test_misspelt_backend_is_met_with_the_nearest_name() -> None:
    dictionary = key_semantic_dictionary(torch.randn(3, 40, 8), 5)
    q, k, v, _ = make_inputs(40, head_dim=8)
    with pytest.raises(ValueError, match=r"backend='mask' is unknown.*did you mean 'masked'"):
        key_semantic_attention(q, k, v, dictionary, backend="mask")


def test_automatic_choice_depends_on_the_request_alone() -> None:
    def chosen(**changes: object) -> str:
        values = {"device": "cpu", "dtype": torch.float32, "num_tokens": 1024, "head_dim": 30}
        request = Request(**(values | {"k": 512, "masked": True} | changes))
        # The native backend exists only where somebody built it.
        portable = {n: b for n, b in ATTENTION_BACKENDS.items() if n != "native"}
        return choose(request, backends=portable).name

    assert chosen() == "masked"
    assert chosen(k=1024, masked=False) == "dense"
    assert chosen(num_tokens=4096, k=8) == "gather"
    assert chosen(device="cuda", num_tokens=4096, k=8) == "masked"


def test_report_gives_a_reason_for_every_backend_that_cannot_run() -> None:
    reasons = report("cpu")
    assert reasons.keys() == ATTENTION_BACKENDS.keys()
    assert reasons["masked"] is None
    assert "512 of 1024" in str(reasons["dense"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": torch.ones(3, 2, 41, 8)}, "share one shape"),
        ({"v": torch.ones(3, 2, 40, 8)}, "share one dtype"),
        ({"bias": torch.ones(1, 40, 40)}, r"bias must have shape \(2, 40, 40\)"),
    ],
)
def test_a_wrong_shape_or_dtype_is_named(change: dict, message: str) -> None:
    dictionary = key_semantic_dictionary(torch.randn(3, 40, 8), 5)
    q, k, v, _ = make_inputs(40, head_dim=8)
    arguments = {"q": q, "k": k, "v": v, "dictionary": dictionary} | change
    with pytest.raises(ValueError, match=message):
        key_semantic_attention(**arguments)


def test_a_dictionary_of_other_windows_is_refused() -> None:
    dictionary = key_semantic_dictionary(torch.randn(2, 40, 8), 5)
    q, k, v, _ = make_inputs(40, head_dim=8)
    with pytest.raises(ValueError, match="2 windows of 40 tokens, q has 3 of 40"):
        key_semantic_attention(q, k, v, dictionary)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_generated_code_calls_the_operators_with_gradients() -> None:
    """By the compiler that is torch's default; few kernels, as each takes seconds."""
    from torch._inductor import config

    def attend(features: Tensor, qkv: Tensor, bias: Tensor) -> Tensor:
        dictionary = key_semantic_dictionary(features, 5)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        out = key_semantic_attention(q, k, v, dictionary, bias=bias, scale=0.5)
        return out.transpose(1, 2).sin()

    features = torch.randn(2, 16, 8)
    given = [torch.randn(2, 16, 3, 2, 4), torch.randn(2, 16, 16)]
    results = []
    # the processor is asked once more, instead of five compilations
    with config.patch({"compile_threads": 1, "cpp.vec_isa_ok": True}):
        for function in (attend, torch.compile(attend, fullgraph=True, dynamic=False)):
            inputs = [x.clone().requires_grad_() for x in given]
            out = function(features, *inputs)
            results.append([out.detach(), *torch.autograd.grad(out.square().sum(), inputs)])
    for eager, compiled in zip(*results, strict=True):
        torch.testing.assert_close(compiled, eager, atol=1e-5, rtol=1e-4)
