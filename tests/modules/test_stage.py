"""One dictionary per stage, shared by its layers, chosen from the stage's input."""

from __future__ import annotations

import pytest
import torch

import semanir_arch.modules.stage as stage_module
from semanir_arch.modules.stage import KeySemanticStage


def make_stage(**kwargs: object) -> KeySemanticStage:
    return KeySemanticStage(dim=12, depth=3, num_heads=2, window_size=4, **({"k": 5} | kwargs))


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list:
    """Every dictionary that a stage builds while the test runs."""
    dictionaries = []
    original = stage_module.key_semantic_dictionary

    def record(*args: object, **kwargs: object) -> object:
        dictionaries.append(original(*args, **kwargs))
        return dictionaries[-1]

    monkeypatch.setattr(stage_module, "key_semantic_dictionary", record)
    return dictionaries


def test_all_layers_get_the_one_dictionary_of_the_stage(built: list) -> None:
    stage = make_stage()
    seen = []
    for layer in stage.layers:
        layer.register_forward_pre_hook(lambda module, args: seen.append(args[1]))
    stage(torch.rand(2, 12, 8, 8))
    assert len(built) == 1
    assert len(seen) == 3
    assert all(dictionary is built[0] for dictionary in seen)


def test_dictionary_comes_from_the_input_of_the_stage(built: list) -> None:
    stage = make_stage()
    x = torch.rand(1, 12, 8, 8)
    stage(x)
    window = x[0, :, :4, 4:8].flatten(1).T
    expected = (window @ window.T).topk(5).indices.sort().values
    assert torch.equal(built[0].indices()[1], expected)


def test_shifted_windows_do_not_look_across_the_border(built: list) -> None:
    """The roll makes opposite borders neighbors; they must not influence each other."""
    stage = make_stage(shifted=True)
    x = torch.rand(1, 12, 8, 8, requires_grad=True)
    stage(x)[0, :, 0, 0].sum().backward()
    # The convolution reaches 1 pixel, the shifted window of pixel (1, 1) ends at row and column 1.
    reach = x.grad.abs().sum((0, 1)) > 0
    assert reach[:2, :2].all()
    assert not reach[6:].any()
    assert not reach[:, 6:].any()
    assert built[0].bits is not None


def test_a_side_of_one_window_is_not_shifted(built: list) -> None:
    stage, plain = make_stage(shifted=True), make_stage()
    plain.load_state_dict(stage.state_dict())
    x = torch.rand(1, 12, 4, 4)
    torch.testing.assert_close(stage(x), plain(x))


def test_no_gradient_flows_through_the_selection() -> None:
    stage = make_stage()
    x = torch.rand(1, 12, 4, 4, dtype=torch.float64, requires_grad=True)
    stage.double()
    # With the selection fixed, finite differences see what autograd sees: everything but the
    # selection.
    assert torch.autograd.gradcheck(stage, x, atol=1e-6)


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("score", ["dot", "cosine"])
def test_checkpointing_changes_no_gradient(norm: str, score: str) -> None:
    stage = make_stage(norm=norm, score=score)
    recomputing = make_stage(norm=norm, score=score, use_checkpoint=True)
    recomputing.load_state_dict(stage.state_dict())
    x = torch.rand(2, 12, 8, 8)
    for module in (stage, recomputing):
        module(x).square().sum().backward()
    for ours, theirs in zip(stage.parameters(), recomputing.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"norm": "both"}, "norm='both'.*'pre', 'post'"),
        ({"score": "l2"}, "score='l2'.*'dot', 'cosine'"),
        ({"dim": 13}, "num_heads=2 must divide the 13 channels"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        KeySemanticStage(**({"dim": 12, "depth": 1, "num_heads": 2, "window_size": 4} | arguments))
