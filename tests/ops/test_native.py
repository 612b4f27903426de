"""The C++ kernels must agree with the definitions, and say why where they cannot run."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from semanir_arch.ops import KeySemanticDictionary, key_semantic_attention, key_semantic_dictionary
from semanir_arch.ops import native as library
from semanir_arch.ops.attention import naive, native
from semanir_arch.ops.attention.bias import strips
from semanir_arch.ops.backend import ATTENTION_BACKENDS, Request
from semanir_arch.ops.dictionary import naive as definition
from semanir_arch.ops.dictionary import threshold
from semanir_arch.ops.dictionary.packed_bits import pack
from tests.each import each

TOLERANCE = {torch.float32: 2e-6, torch.bfloat16: 1e-2}
KERNELS = ("avx512", "portable")
TYPICAL = {"device": "cpu", "dtype": torch.float32, "num_tokens": 1024, "head_dim": 30}


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    missing = library._missing_tool()
    if missing is not None:
        pytest.skip(f"the native operators cannot be compiled here: {missing}")
    # Compiles once, about 20 s on one core, and is kept in torch's cache of extensions.
    library.build()


@pytest.fixture(autouse=True)
def switched_on(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """All other tests run without the library."""
    monkeypatch.setenv(library.VARIABLE, "auto")
    library._decide.cache_clear()
    yield
    monkeypatch.undo()
    library.use(None)


@pytest.fixture(autouse=True)
def poisoned_memory() -> Iterator[None]:
    """New tensors are filled with NaN, so that an element that is never written shows."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    assert torch.empty(3).isnan().all()
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ATTENTION_BACKENDS, "native", native.BACKEND)


def require(instructions: str) -> None:
    if instructions not in (library.best_instructions(), "portable"):
        pytest.skip(f"this processor has no {instructions}")


def make_dictionary(tokens: int, k: int, windows: int = 2) -> KeySemanticDictionary:
    """Random sets of k keys, as bits also where that is every key."""
    dictionary = key_semantic_dictionary(torch.randn(windows, tokens, 8), k)
    if dictionary.bits is not None:
        return dictionary
    bits = pack(torch.ones(windows, tokens, tokens, dtype=torch.bool))
    return KeySemanticDictionary(bits, windows, tokens, tokens, dictionary.device)


def make_inputs(
    tokens: int, head_dim: int, dtype: torch.dtype = torch.float32, windows: int = 2, heads: int = 2
) -> list[Tensor]:
    q, k, v = (torch.randn(windows, heads, tokens, head_dim).to(dtype) for _ in range(3))
    return [x.requires_grad_() for x in (q, k, v, torch.randn(heads, tokens, tokens).to(dtype))]


def run(attend, inputs: list[Tensor], dictionary: KeySemanticDictionary, **kwargs) -> list[Tensor]:
    """Output and gradients of q, k, v and, if there is one, the bias."""
    q, k, v, *bias = inputs
    out = attend(q, k, v, dictionary, bias[0] if bias else None, 0.3, **kwargs)
    weight = torch.linspace(-1, 1, out.numel(), dtype=torch.float64).view(out.shape).to(out.dtype)
    return [out.detach(), *torch.autograd.grad(out, inputs, weight)]


def assert_equals_the_definition(
    inputs: list[Tensor], dictionary: KeySemanticDictionary, *, instructions: str | None = None
) -> None:
    exact = [x.detach().double().requires_grad_() for x in inputs]
    expected = run(naive.attend, exact, dictionary)
    actual = run(native.attend, inputs, dictionary, instructions=instructions)
    for name, a, e in zip(("output", "dq", "dk", "dv", "dbias"), actual, expected, strict=False):
        assert a.dtype == inputs[0].dtype
        error = (a.double() - e).abs().max() / e.abs().max().clamp(min=1)
        assert error <= TOLERANCE[a.dtype], f"{name} is off by {error:.2e}"


@each("tokens", [1, 31, 64, 70, 100, 128, 256])
@each("head_dim", [14, 16, 30, 32, 36, 64])
def test_output_and_gradients_equal_the_definition(tokens: int, head_dim: int) -> None:
    for k in sorted({1, min(5, tokens), min(64, tokens), tokens}):
        assert_equals_the_definition(make_inputs(tokens, head_dim), make_dictionary(tokens, k))


def test_a_full_window_of_the_published_networks_equals_the_definition() -> None:
    inputs = make_inputs(1024, 30, windows=2, heads=1)
    assert_equals_the_definition(inputs, make_dictionary(1024, 512))


@pytest.mark.parametrize("head_dim", [14, 30, 36, 64, 100, 128])
def test_bfloat16_equals_the_definition(head_dim: int) -> None:
    for tokens in (31, 64, 100):
        inputs = make_inputs(tokens, head_dim, torch.bfloat16)
        assert_equals_the_definition(inputs, make_dictionary(tokens, 20))


@each("dtype", [torch.float32, torch.bfloat16])
@each("head_dim", [14, 30, 36, 64, 128])
def test_portable_kernels_equal_the_definition(head_dim: int, dtype: torch.dtype) -> None:
    for tokens, k in ((1, 1), (64, 64), (70, 5)):
        inputs = make_inputs(tokens, head_dim, dtype)
        assert_equals_the_definition(inputs, make_dictionary(tokens, k), instructions="portable")


@pytest.mark.parametrize("instructions", KERNELS)
def test_bias_is_optional(instructions: str) -> None:
    require(instructions)
    inputs = make_inputs(70, 30)[:3]
    assert_equals_the_definition(inputs, make_dictionary(70, 9), instructions=instructions)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("side", [1, 5, 8, 23])
@pytest.mark.parametrize("instructions", KERNELS)
def test_a_table_of_the_bias_equals_its_matrix(
    instructions: str, side: int, dtype: torch.dtype
) -> None:
    require(instructions)
    # more windows than sums of the gradient
    tokens, windows = side * side, 6
    *inputs, _ = make_inputs(tokens, 14, dtype, windows)
    cut = strips(torch.randn(2, 2 * side - 1, 2 * side - 1)).to(dtype).requires_grad_()
    dictionary = make_dictionary(tokens, min(tokens, 9), windows)
    assert_equals_the_definition([*inputs, cut], dictionary, instructions=instructions)


@pytest.mark.parametrize("instructions", KERNELS)
def test_rows_with_fewer_eligible_keys_attend_to_those(instructions: str) -> None:
    require(instructions)
    groups = torch.zeros(2, 64, dtype=torch.long)
    groups[:, :3] = 1
    for k in (20, 64):
        dictionary = key_semantic_dictionary(torch.randn(2, 64, 8), k, groups=groups)
        assert_equals_the_definition(make_inputs(64, 16), dictionary, instructions=instructions)


@pytest.mark.parametrize("instructions", KERNELS)
@pytest.mark.parametrize("poison", [200.0, float("inf"), float("nan")])
@pytest.mark.parametrize("share", [0.2, 0.7])
def test_unselected_keys_do_not_count_whatever_they_hold(
    share: float, poison: float, instructions: str
) -> None:
    require(instructions)
    tokens, unused = 100, 0
    mask = torch.rand(2, tokens, tokens) < share
    mask[:, :, 1] = True
    mask[:, :, unused] = False
    dictionary = KeySemanticDictionary(pack(mask), 2, tokens, tokens, torch.device("cpu"))
    q, k, v, bias = (x.detach() for x in make_inputs(tokens, 30))
    clean = native.attend(q, k, v, dictionary, bias, 0.3, instructions=instructions)
    bias = torch.where(mask.any(0), bias, poison)
    k[:, :, unused] = v[:, :, unused] = poison
    poisoned = native.attend(q, k, v, dictionary, bias, 0.3, instructions=instructions)
    if share < 0.4 or poison == 200.0:
        assert torch.equal(poisoned, clean)
    # of many keys all are computed, unless a number is not finite: sums of another order
    torch.testing.assert_close(poisoned, clean)
    inputs = [x.requires_grad_() for x in (q, k, v, bias)]
    for gradient in run(native.attend, inputs, dictionary, instructions=instructions):
        assert gradient[:, :, unused + 1 :].isfinite().all()


def test_strided_inputs_give_what_their_copies_give() -> None:
    dictionary = make_dictionary(40, 11)
    q, k, v = torch.randn(2, 40, 3, 2, 14).permute(2, 0, 3, 1, 4).unbind(0)
    bias = torch.randn(40, 40, 2).permute(2, 0, 1)
    strided = [x.requires_grad_() for x in (q, k.mT.contiguous().mT, v, bias)]
    copies = [x.detach().contiguous().requires_grad_() for x in strided]
    for a, b in zip(
        run(native.attend, strided, dictionary), run(native.attend, copies, dictionary), strict=True
    ):
        assert torch.equal(a, b)


@pytest.mark.parametrize("table", [False, True])
@pytest.mark.parametrize(("side", "windows"), [(8, 9), (23, 6)])
def test_the_number_of_threads_changes_no_bit(side: int, windows: int, table: bool) -> None:
    inputs = make_inputs(side**2, 30, windows=windows, heads=3)
    if table:
        cut = strips(torch.randn(3, 2 * side - 1, 2 * side - 1))
        inputs[-1] = cut.contiguous().requires_grad_()
    dictionary = make_dictionary(side**2, 40, windows)
    results = []
    for threads in (1, 2, 3, 7):
        torch.set_num_threads(threads)
        results.append(run(native.attend, inputs, dictionary))
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


@pytest.mark.parametrize("with_bias", [True, False])
def test_registered_operator_passes_opcheck(with_bias: bool) -> None:
    q, k, v, bias = make_inputs(40, 8)
    bits = make_dictionary(40, 5).bits
    arguments = (q, k, v, bits, bias if with_bias else None, 0.3, "portable")
    torch.library.opcheck(native._forward, arguments)


@pytest.mark.usefixtures("registered")
def test_compiles_as_one_graph() -> None:
    dictionary = make_dictionary(40, 5)
    inputs = make_inputs(40, 8)

    def attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
        return key_semantic_attention(q, k, v, dictionary, bias=bias, backend="native")

    compiled = torch.compile(attend, fullgraph=True, backend="aot_eager")
    library._load.cache_clear()
    expected = torch.autograd.grad(attend(*inputs).square().sum(), inputs)
    for a, b in zip(
        torch.autograd.grad(compiled(*inputs).square().sum(), inputs), expected, strict=True
    ):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"device": "cuda"}, "runs on the CPU, not on cuda"),
        ({"masked": False, "k": 1024}, "every key is kept"),
        ({"dtype": torch.float64}, "not in torch.float64"),
        ({"dtype": torch.float16}, "not in torch.float16"),
        ({"head_dim": 129}, "at most 128 channels, not 129"),
        ({}, None),
    ],
)
def test_predicate_says_why_not(change: dict, reason: str | None) -> None:
    request = Request(**({"k": 64, "masked": True} | TYPICAL | change))
    actual = native.BACKEND.why_not(request)
    assert actual is None if reason is None else reason in str(actual)


@pytest.mark.usefixtures("registered")
def test_an_unbuilt_backend_names_the_command_that_builds_it(monkeypatch, tmp_path) -> None:
    where = os.environ.get("TORCH_EXTENSIONS_DIR", "")
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path))
    library._load.cache_clear()
    library._decide.cache_clear()
    q, k, v, _ = make_inputs(40, 8)
    with pytest.raises(NotImplementedError, match=r"python -m semanir_arch\.ops\.native"):
        key_semantic_attention(q, k, v, make_dictionary(40, 5), backend="native")
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", where)
    library._load.cache_clear()
    library._decide.cache_clear()
    assert library.why_not() is None


@pytest.mark.parametrize(
    ("variable", "told", "reason", "instructions"),
    [
        ("auto", None, None, None),
        ("off", None, "SEMANIR_NATIVE=off", None),
        ("off", "portable", "SEMANIR_NATIVE=off", None),
        ("portable", None, None, "portable"),
        ("auto", "portable", None, "portable"),
        ("auto", "off", "this run does without it", None),
    ],
)
def test_the_library_is_used_as_it_was_said(
    monkeypatch, variable: str, told: str | None, reason: str | None, instructions: str | None
) -> None:
    monkeypatch.setenv(library.VARIABLE, variable)
    library.use(told)
    found = library.why_not()
    assert found is None if reason is None else reason in str(found)
    if found is None:
        assert library.best_instructions() == (instructions or library.kernels()[0])


def test_kernels_that_the_processor_lacks_are_refused(monkeypatch) -> None:
    monkeypatch.setattr(library, "_ask_processor", lambda: "portable")
    library.use("avx512")
    assert "this processor has no avx512" in str(library.why_not())


def test_an_unknown_choice_is_refused(monkeypatch) -> None:
    with pytest.raises(ValueError, match="choice='sse9' is unknown; allowed: auto, off, avx512"):
        library.use("sse9")
    monkeypatch.setenv(library.VARIABLE, "on")
    library.use(None)
    with pytest.raises(ValueError, match="SEMANIR_NATIVE='on' is unknown"):
        library.why_not()


def test_without_a_compiler_the_build_says_so(monkeypatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(RuntimeError, match="no C\\+\\+ compiler 'no-such-compiler'"):
        library.build()


def test_inputs_that_would_be_read_wrongly_are_refused() -> None:
    q, k, v, bias = make_inputs(40, 8)
    bits = make_dictionary(40, 5).bits
    assert bits is not None
    with pytest.raises(RuntimeError, match="bits must be int32"):
        native._forward(q, k, v, bits[:, :, :1], bias, 0.3, "portable")
    with pytest.raises(RuntimeError, match="bias must have shape"):
        native._forward(q, k, v, bits, bias[:1], 0.3, "portable")
    with pytest.raises(RuntimeError, match="share one dtype"):
        native._forward(q, k, v, bits, bias.bfloat16(), 0.3, "portable")


@pytest.mark.parametrize(
    ("instructions", "amx", "change", "preferred"),
    [
        ("avx512", False, {"k": 1000}, True),
        ("avx512", False, {"k": 512, "head_dim": 64}, True),
        ("avx512", False, {"k": 513, "head_dim": 64}, False),
        ("avx512", False, {"k": 257, "head_dim": 100}, False),
        ("avx512", False, {"k": 1000, "dtype": torch.bfloat16}, True),
        ("avx512", False, {"k": 257, "head_dim": 64, "dtype": torch.bfloat16}, False),
        ("avx512", True, {"k": 512}, True),
        ("avx512", True, {"k": 256, "dtype": torch.bfloat16}, True),
        ("avx512", True, {"k": 257, "dtype": torch.bfloat16}, False),
        ("portable", False, {"k": 64}, True),
        ("portable", False, {"k": 65}, False),
    ],
)
def test_it_volunteers_where_it_was_measured_faster(
    monkeypatch, instructions: str, amx: bool, change: dict, preferred: bool
) -> None:
    monkeypatch.setattr(library, "best_instructions", lambda: instructions)
    capabilities = {"amx_bf16": amx, "avx512_bf16": True}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert native.BACKEND.preferred(Request(**(TYPICAL | {"masked": True} | change))) is preferred


@pytest.mark.parametrize("instructions", KERNELS)
@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("tokens", [1, 2, 31, 32, 64, 70, 100, 256])
def test_selection_equals_a_stable_sort_where_similarities_tie(
    tokens: int, grouped: bool, instructions: str
) -> None:
    require(instructions)
    x = torch.randint(-2, 3, (3, tokens, 6)).float()
    groups = torch.randint(0, 3, (3, tokens)) if grouped else None
    for k in sorted({1, min(5, tokens), min(64, tokens), tokens}):
        bits = torch.ops.semanir_native.select(x @ x.mT, k, groups, instructions)
        assert torch.equal(bits, pack(definition.select(x, k, groups)))


@pytest.mark.parametrize("instructions", KERNELS)
def test_selection_orders_every_kind_of_number(instructions: str) -> None:
    require(instructions)
    kinds = [float("inf"), 3e38, 1.0, 1e-45, 0.0, -0.0, -1e-45, -1.0, -3e38, float("-inf")]
    # Row by row in another order, each number twice.
    rows = torch.stack([torch.tensor(kinds * 2)[torch.randperm(20)] for _ in range(20)])
    for k in range(1, 21):
        order = rows.argsort(dim=-1, descending=True, stable=True)[:, :k]
        expected = torch.zeros(20, 20, dtype=torch.bool).scatter_(-1, order, True)
        bits = torch.ops.semanir_native.select(rows[None], k, None, instructions)
        assert torch.equal(bits[0], pack(expected))


def test_dictionary_selects_with_the_library_what_it_selects_without(monkeypatch) -> None:
    x, groups = torch.randn(5, 100, 30), torch.randint(0, 2, (5, 100))
    monkeypatch.setattr(threshold, "_SCRATCH_BYTES", {"cpu": 2 * 4 * 100 * 100})
    with_library = [threshold.select_bits(x, 20, g) for g in (None, groups)]
    monkeypatch.setattr(library, "why_not", lambda: "for this test")
    without = [threshold.select_bits(x, 20, g) for g in (None, groups)]
    assert all(map(torch.equal, with_library, without))


def test_similarities_that_would_be_read_wrongly_are_refused() -> None:
    select = torch.ops.semanir_native.select
    with pytest.raises(RuntimeError, match="float32 of shape"):
        select(torch.ones(1, 4, 5), 1, None, "portable")
    with pytest.raises(RuntimeError, match="k=5 of 4 tokens"):
        select(torch.ones(1, 4, 4), 5, None, "portable")
    with pytest.raises(RuntimeError, match="groups must have shape"):
        select(torch.ones(1, 4, 4), 1, torch.ones(1, 5), "portable")
    with pytest.raises(RuntimeError, match="no kernels for sse9"):
        select(torch.ones(1, 4, 4), 1, None, "sse9")
