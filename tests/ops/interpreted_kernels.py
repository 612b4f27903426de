"""The Triton kernels, stepped through on a CPU: run by `test_triton.py` in its own process."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from semanir_arch.modules.stage import KeySemanticStage
from semanir_arch.ops import (
    KeySemanticDictionary,
    key_semantic_attention,
    key_semantic_dictionary,
)
from semanir_arch.ops.attention import fused, kernel_launch
from semanir_arch.ops.backend import Request, choose
from semanir_arch.ops.dictionary import naive
from semanir_arch.ops.dictionary.fused import select_bits
from semanir_arch.ops.dictionary.packed_bits import pack
from semanir_arch.ops.dictionary.union import key_unions
from tests.ops.interpreter import repair

repair()

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:triton")

BACKENDS = ("triton", "triton_union")
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 4e-2, torch.float16: 5e-3}
NAMES = ("output", "dq", "dk", "dv", "dbias")


@pytest.fixture(autouse=True)
def _poisoned(monkeypatch):
    """New memory holds NaN, so that nothing passes that was never written."""
    new_empty, empty_like = Tensor.new_empty, torch.empty_like

    def poison(x):
        return x.fill_(float("nan")) if x.is_floating_point() else x

    monkeypatch.setattr(Tensor, "new_empty", lambda *a, **kw: poison(new_empty(*a, **kw)))
    monkeypatch.setattr(torch, "empty_like", lambda *a, **kw: poison(empty_like(*a, **kw)))


@pytest.fixture(autouse=True)
def _few_programs(monkeypatch):
    """The interpreter's time is in the number of blocks: larger ones, of unequal sides."""
    choose_tile = kernel_launch.choose_tile

    def enlarge(kernel, *arguments):
        tile = choose_tile(kernel, *arguments)
        return tile._replace(queries=max(tile.queries, 64), keys=max(tile.keys, 32))

    monkeypatch.setattr(kernel_launch, "choose_tile", enlarge)


def make_inputs(tokens, head_dim, *, bias=True, windows=1, dtype=torch.float32):
    shapes = [(windows, 2, tokens, head_dim)] * 3 + [(2, tokens, tokens)] * bias
    return [torch.randn(shape).to(dtype).requires_grad_() for shape in shapes]


def make_dictionary(tokens, k, *, windows=1, groups=None) -> KeySemanticDictionary:
    x = torch.randn(windows, tokens, 8)
    return key_semantic_dictionary(x, k, groups=groups, backend="naive")


def run_with_gradients(inputs, dictionary, backend):
    q, k, v, *bias = inputs
    out = key_semantic_attention(
        q, k, v, dictionary, bias=bias[0] if bias else None, backend=backend
    )
    weight = torch.linspace(-1, 1, out.numel()).view(out.shape).to(out.dtype)
    return [out.detach(), *torch.autograd.grad(out, inputs, weight)]


def assert_as_defined(inputs, dictionary, backend, tolerance=None):
    exact = [x.detach().double().requires_grad_() for x in inputs]
    expected = run_with_gradients(exact, dictionary, "naive")
    actual = run_with_gradients(inputs, dictionary, backend)
    dtype = inputs[0].dtype
    for name, a, e in zip(NAMES, actual, expected, strict=False):
        error = (a.double() - e).abs().max() / e.abs().max().clamp(min=1)
        assert a.dtype == dtype
        assert error <= (tolerance or TOLERANCE[dtype]), f"{name} is off by {error:.2e}"


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("tokens", "head_dim", "k"),
    [(31, 14, 1), (64, 16, 5), (70, 30, 9), (100, 36, 5), (128, 32, 64), (64, 64, 1)],
)
def test_outputs_and_gradients_equal_the_definition(tokens, head_dim, k, backend, bias):
    assert_as_defined(make_inputs(tokens, head_dim, bias=bias), make_dictionary(tokens, k), backend)


@pytest.mark.parametrize(("tokens", "head_dim"), [(1, 16), (31, 30), (64, 64), (100, 14)])
def test_keeping_every_key_needs_no_bits(tokens, head_dim):
    dictionary = make_dictionary(tokens, tokens, windows=2)
    assert dictionary.bits is None
    assert_as_defined(make_inputs(tokens, head_dim, windows=2), dictionary, "triton")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("side", "first_bound"), [(7, 1000), (8, 1)])
def test_a_table_of_the_bias_equals_its_matrix(side, first_bound, backend, monkeypatch):
    monkeypatch.setattr(kernel_launch, "_FIRST_BOUND", first_bound)
    tokens = side * side
    inputs = make_inputs(tokens, 16, bias=False, windows=2)
    table = torch.randn(2, 2 * side - 1, 2 * side - 1, requires_grad=True)
    assert_as_defined([*inputs, table], make_dictionary(tokens, 9, windows=2), backend)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("tokens", "head_dim"), [(70, 30), (64, 32)])
def test_lower_precision_equals_the_definition(tokens, head_dim, backend, dtype):
    inputs = make_inputs(tokens, head_dim, dtype=dtype)
    assert_as_defined(inputs, make_dictionary(tokens, 20), backend)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("backend", BACKENDS)
def test_bound_of_the_rows_equals_the_definition(backend, bias, dtype, monkeypatch):
    monkeypatch.setattr(kernel_launch, "_FIRST_BOUND", 1)
    inputs = make_inputs(70, 30, bias=bias, dtype=dtype)
    assert_as_defined(inputs, make_dictionary(70, 9), backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_copies_with_padded_rows_equal_the_definition(backend, monkeypatch):
    monkeypatch.setattr(kernel_launch, "_FIRST_COPY", 1)
    inputs = make_inputs(40, 14, windows=2, dtype=torch.float16)
    assert_as_defined(inputs, make_dictionary(40, 9, windows=2), backend)


def test_several_windows_and_shares_of_them_equal_the_definition(monkeypatch):
    monkeypatch.setattr(kernel_launch, "_ENOUGH_PROGRAMS", 2)
    groups = torch.tensor([[0] * 3 + [1] * 37] * 5)
    dictionary = make_dictionary(40, 20, windows=5, groups=groups)
    inputs = make_inputs(40, 16, windows=5)
    assert_as_defined(inputs, dictionary, "triton")
    assert_as_defined(inputs, dictionary, "triton_union")


@pytest.mark.parametrize("first_bound", [1, 1000])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("backend", BACKENDS)
def test_unselected_keys_200_above_have_no_weight(backend, dtype, first_bound, monkeypatch):
    monkeypatch.setattr(kernel_launch, "_FIRST_BOUND", first_bound)
    mask = torch.rand(1, 40, 40) < 0.3
    mask[:, :, 0], mask[:, :, 20:] = True, False
    dictionary = KeySemanticDictionary(pack(mask), 1, 40, 20, mask.device)
    q, k, v = make_inputs(40, 16, bias=False, dtype=dtype)
    with torch.no_grad():
        # The score is q . k / 4: the first channel adds 200 for the keys that nobody keeps.
        q[..., 0] = 20
        k[..., 0] = torch.where(mask[0].any(0), 0, 40)
    assert_as_defined([q, k, v], dictionary, backend)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("backend", BACKENDS)
def test_scores_far_below_a_bound_that_was_tried_are_summed_again(backend, bias, monkeypatch):
    monkeypatch.setattr(kernel_launch, "_FIRST_BOUND", 1)
    inputs = make_inputs(40, 16, bias=bias)
    with torch.no_grad():
        # |q| |k| is about 50 in powers of two, and every score about -50: weights near 2^-100.
        inputs[0][..., 0], inputs[1][..., 0] = 12, -12
        inputs[0][..., 1:] *= 0.1
        inputs[1][..., 1:] *= 0.1
    # The gradient of q is a sum of differences that cancel, times keys of 12: float32's rounding
    # grows twelvefold, to 1.6e-5 on some processors.
    assert_as_defined(inputs, make_dictionary(40, 9), backend, tolerance=3e-5)


@pytest.mark.parametrize("first_bound", [1, 1000])
def test_nan_in_a_key_that_nobody_keeps_does_not_spread(first_bound, monkeypatch):
    monkeypatch.setattr(kernel_launch, "_FIRST_BOUND", first_bound)
    mask = torch.ones(1, 40, 40, dtype=torch.bool)
    mask[:, :, 7] = False
    dictionary = KeySemanticDictionary(pack(mask), 1, 40, 39, mask.device)
    q, k, v = make_inputs(40, 16, bias=False)
    with torch.no_grad():
        k[:, :, 7] = float("nan")
    out = key_semantic_attention(q, k, v, dictionary, backend="triton")
    torch.testing.assert_close(out, key_semantic_attention(q, k, v, dictionary, backend="naive"))


@pytest.mark.parametrize("backend", BACKENDS)
def test_views_of_one_projection_and_an_expanded_gradient_need_no_copies(backend):
    dictionary = make_dictionary(40, 9, windows=2)
    packed = torch.randn(2, 40, 3, 2, 30, requires_grad=True)
    results = []
    for name in (backend, "naive"):
        q, k, v = packed.permute(2, 0, 3, 1, 4).unbind(0)
        out = key_semantic_attention(q, k, v, dictionary, backend=name)
        results.append((out, *torch.autograd.grad(out.sum(), packed)))
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("tokens", "k", "head_dim"),
    [
        (1, 1, 16),
        (31, 5, 14),
        (64, 1, 30),
        (70, 64, 32),
        (100, 100, 36),
        (128, 5, 64),
        (256, 64, 16),
    ],
)
def test_logarithm_of_the_sum_is_that_of_the_kept_scores(tokens, k, head_dim):
    dictionary = make_dictionary(tokens, k)
    q, k, v, bias = make_inputs(tokens, head_dim)
    unions = [(None, None, None, 0)]
    if dictionary.bits is not None:
        unions.append((*dictionary.union(64), 64))
    scores = q.double() @ k.double().mT * 0.25 + bias.double()
    scores = scores.masked_fill(~dictionary.mask().unsqueeze(1), float("-inf"))
    expected = scores.logsumexp(-1) / torch.log(torch.tensor(2.0))
    for union in unions:
        _, lse = torch.ops.semanir.fused_attention(q, k, v, dictionary.bits, bias, 0.25, *union)
        torch.testing.assert_close(lse.double(), expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    ("tokens", "k", "dtype"),
    [
        (1, 1, torch.float32),
        (31, 5, torch.float16),
        (64, 40, torch.float32),
        (64, 1, torch.float16),
        (70, 5, torch.float32),
    ],
)
def test_selection_equals_a_stable_sort_where_similarities_tie(tokens, k, dtype):
    x = torch.randint(-2, 3, (1, tokens, 6)).float()
    assert torch.equal(select_bits(x.to(dtype), k, None), pack(naive.select(x, k)))


def test_selection_keeps_groups_apart_and_negative_zero_equal_to_zero():
    x = torch.randint(-1, 2, (1, 40, 3)).float()
    groups = torch.randint(0, 5, (1, 40))
    assert torch.equal(select_bits(x, 12, groups), pack(naive.select(x, 12, groups)))
    zeros = torch.tensor([[[0.0], [-1.0], [1.0], [0.0]]])
    assert torch.equal(select_bits(zeros, 2, None), pack(naive.select(zeros, 2)))


def test_selection_by_chunks_equals_the_whole(monkeypatch):
    from semanir_arch.ops.dictionary import triton

    # one block of each window, one block at a time
    x = torch.randint(-2, 3, (2, 40, 6)).float()
    monkeypatch.setattr(triton, "_SCRATCH_BYTES", 4 * 64 * 40)
    assert torch.equal(select_bits(x, 9, None), pack(naive.select(x, 9)))


def test_dictionary_uses_the_kernels_when_they_are_named():
    x = torch.randint(-2, 3, (1, 33, 6)).bfloat16()
    expected = key_semantic_dictionary(x, 7, backend="naive").bits
    actual = key_semantic_dictionary(x, 7, backend="triton").bits
    assert expected is not None
    assert actual is not None
    assert torch.equal(actual, expected)


def test_registered_operators_pass_opcheck():
    dictionary = make_dictionary(32, 5)
    q, k, v, bias = make_inputs(32, 16)
    assert dictionary.bits is not None
    no_union = (None, None, None, 0)
    union = (*dictionary.union(64), 64)
    operator = torch.ops.semanir.fused_attention.default
    torch.library.opcheck(operator, (q, k, v, dictionary.bits, bias, 0.3, *no_union))
    torch.library.opcheck(operator, (q, k, v, dictionary.bits, None, 0.3, *union))
    torch.library.opcheck(select_bits, (torch.randn(1, 8, 6), 5, None))
    torch.library.opcheck(key_unions, (dictionary.bits, 32, 16))


def test_compiles_as_one_graph():
    dictionary = make_dictionary(40, 5)
    inputs = make_inputs(40, 16)

    @torch.compile(fullgraph=True, backend="aot_eager")
    def attend(q, k, v, bias):
        return key_semantic_attention(q, k, v, dictionary, bias=bias, backend="triton")

    expected = key_semantic_attention(*inputs[:3], dictionary, bias=inputs[3], backend="naive")
    actual = attend(*inputs)
    torch.testing.assert_close(actual, expected)
    torch.testing.assert_close(
        torch.autograd.grad(actual.square().sum(), inputs),
        torch.autograd.grad(expected.square().sum(), inputs),
        rtol=1e-4,
        atol=1e-5,
    )


def test_exports():
    class Module(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            dictionary = key_semantic_dictionary(x[:, 0], 5, backend="triton")
            return key_semantic_attention(x, x, x, dictionary, backend="triton_union")

    x = torch.randn(1, 2, 40, 16)
    program = torch.export.export(Module(), (x,))
    torch.testing.assert_close(program.module()(x), Module()(x))


def test_checkpointing_recomputes_the_same():
    dictionary = make_dictionary(40, 5)
    inputs = make_inputs(40, 16)

    def attend(q, k, v, bias):
        return key_semantic_attention(q, k, v, dictionary, bias=bias, backend="triton_union")

    expected = torch.autograd.grad(attend(*inputs).sum(), inputs)
    again = torch.autograd.grad(checkpoint(attend, *inputs, use_reentrant=False).sum(), inputs)
    assert all(map(torch.equal, again, expected))


def test_autocast_casts_as_for_torch_attention():
    dictionary = make_dictionary(40, 5)
    inputs = make_inputs(40, 16)
    with torch.autocast("cpu", torch.bfloat16):
        out = key_semantic_attention(*inputs[:3], dictionary, bias=inputs[3], backend="triton")
    assert out.dtype == torch.bfloat16
    assert [x.dtype for x in torch.autograd.grad(out.float().sum(), inputs)] == 4 * [torch.float32]


def test_interpreter_is_never_chosen_automatically():
    request = Request("cpu", torch.float32, num_tokens=1024, head_dim=30, k=64, masked=True)
    assert fused.BACKEND.why_not(request) is None
    assert choose(request).name not in BACKENDS


def test_stage_lists_the_keys_once_for_all_its_layers(monkeypatch):
    built = []

    def count(*arguments):
        built.append(arguments)
        return key_unions(*arguments)

    monkeypatch.setattr("semanir_arch.ops.dictionary.key_unions", count)
    stage = KeySemanticStage(16, 3, 2, window_size=4, k=5, bias_dim=8, backend="triton_union")
    x = torch.randn(1, 16, 4, 8)
    out = stage(x)
    out.sum().backward()
    assert len(built) == 1
    stage.backend = "naive"
    torch.testing.assert_close(stage(x), out, rtol=1e-4, atol=1e-4)
