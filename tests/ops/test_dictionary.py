"""The fast selection must choose what a stable sort chooses, without a gradient."""

from __future__ import annotations

import pytest
import torch

from semanir_arch.ops import key_semantic_dictionary, native
from semanir_arch.ops.dictionary import naive
from tests.each import each


def integer_features(windows: int, tokens: int, channels: int = 6) -> torch.Tensor:
    """Small integers: inner products are exact in float32 and many of them tie."""
    return torch.randint(-2, 3, (windows, tokens, channels)).float()


@pytest.fixture(autouse=True, params=["as installed", "plain torch"])
def _library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs with the native library, where it is compiled, and without it."""
    if request.param == "plain torch":
        monkeypatch.setattr(native, "why_not", lambda: "for this test")
    else:
        monkeypatch.setattr(native, "why_not", native._load)
        monkeypatch.setattr(native, "best_instructions", lambda: native.kernels()[0])


@each("tokens", [1, 2, 31, 32, 64, 70, 100, 256])
@each("k", [1, 5, 64, 1000])
def test_selection_equals_a_stable_sort_where_similarities_tie(tokens: int, k: int) -> None:
    x = integer_features(3, tokens)
    expected = naive.select(x, min(k, tokens))
    assert torch.equal(key_semantic_dictionary(x, k).mask(), expected)


@each("k", [1, 5, 20, 64])
def test_groups_are_kept_apart_before_the_selection(k: int) -> None:
    x = integer_features(4, 64)
    groups = torch.randint(0, 3, (4, 64))
    mask = key_semantic_dictionary(x, k, groups=groups).mask()
    same = groups.unsqueeze(-1) == groups.unsqueeze(-2)
    assert not (mask & ~same).any()
    assert torch.equal(mask.sum(-1), same.sum(-1).clamp(max=k))
    assert torch.equal(mask, naive.select(x, k, groups))


def test_every_kept_similarity_is_at_least_every_dropped_one() -> None:
    x = torch.randn(2, 256, 30)
    mask = key_semantic_dictionary(x, 50).mask()
    similarity = x.double() @ x.double().mT
    kept = similarity.masked_fill(~mask, float("inf")).amin(-1)
    dropped = similarity.masked_fill(mask, float("-inf")).amax(-1)
    # Float32 rounding of the inner products is all that may blur the cut.
    assert (kept >= dropped - 1e-4).all()
    assert (mask.sum(-1) == 50).all()


def test_ties_go_to_the_lower_index() -> None:
    mask = key_semantic_dictionary(torch.ones(1, 40, 3), 7).mask()
    assert mask[..., :7].all()
    assert not mask[..., 7:].any()


def test_negative_zero_ties_with_zero() -> None:
    x = torch.tensor([[[0.0], [-1.0], [1.0], [0.0]]])
    # Similarities of row 0 are (0, -0, 0, 0): equal as numbers, so the lowest indices win.
    assert key_semantic_dictionary(x, 2).indices()[0, 0].tolist() == [0, 1]


def test_the_number_of_windows_does_not_change_a_window() -> None:
    x = integer_features(40, 256)
    together = key_semantic_dictionary(x, 30)
    alone = key_semantic_dictionary(x[17:18], 30)
    assert torch.equal(together.mask(slice(17, 18)), alone.mask())


def test_autocast_does_not_round_the_similarities() -> None:
    x = torch.randn(2, 64, 30)
    with torch.autocast("cpu", torch.bfloat16):
        inside = key_semantic_dictionary(x, 9)
    assert torch.equal(inside.mask(), key_semantic_dictionary(x, 9).mask())


def test_l2_compares_directions_so_that_each_token_keeps_itself() -> None:
    x = torch.randn(2, 64, 8) * torch.rand(2, 64, 1) * 10
    mask = key_semantic_dictionary(x, 1, sim_norm="l2").mask()
    assert torch.equal(mask, torch.eye(64, dtype=torch.bool).expand(2, -1, -1))
    assert not torch.equal(key_semantic_dictionary(x, 1).mask(), mask)


def test_indices_list_the_kept_keys_in_order_and_fill_short_rows() -> None:
    groups = torch.tensor([[0, 0, 1, 1, 1]])
    dictionary = key_semantic_dictionary(torch.ones(1, 5, 2), 3, groups=groups)
    assert dictionary.indices()[0].tolist() == [
        [0, 1, -1],
        [0, 1, -1],
        [2, 3, 4],
        [2, 3, 4],
        [2, 3, 4],
    ]


def test_no_gradient_flows_through_the_selection() -> None:
    x = torch.randn(1, 64, 8, requires_grad=True)
    dictionary = key_semantic_dictionary(x, 5)
    assert dictionary.bits is not None
    assert not dictionary.bits.requires_grad
    assert dictionary.bits.grad_fn is None


def test_keeping_every_key_needs_no_bits() -> None:
    dictionary = key_semantic_dictionary(torch.randn(2, 16, 4), 512)
    assert dictionary.bits is None
    assert dictionary.k == 16
    assert dictionary.mask().all()


@each(
    "arguments, message",
    [
        ({"x": torch.ones(4, 4), "k": 1}, r"\(nW, N, C\).*\(4, 4\)"),
        ({"x": torch.ones(1, 4, 4, dtype=torch.int64), "k": 1}, "floating point"),
        ({"x": torch.ones(1, 4, 4), "k": 0}, "k=0"),
        ({"x": torch.ones(1, 4, 4), "k": 1, "sim_norm": "l1"}, "'l1'.*'none', 'l2'"),
        ({"x": torch.ones(1, 4, 4), "k": 1, "groups": torch.ones(1, 5)}, r"\(1, 4\).*\(1, 5\)"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        key_semantic_dictionary(**arguments)


def test_registered_operator_passes_opcheck() -> None:
    from semanir_arch.ops.dictionary.threshold import select_bits

    groups = torch.randint(0, 2, (2, 40))
    torch.library.opcheck(select_bits, (torch.randn(2, 40, 6), 5, None))
    torch.library.opcheck(select_bits, (torch.randn(2, 40, 6), 5, groups))
