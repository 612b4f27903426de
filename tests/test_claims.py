"""The comparisons behind docs/claims.md compare what they say."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

FOLDER = str(Path(__file__).parents[1] / "benchmarks")


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [FOLDER, *sys.path])


def test_controls_differ_from_semanir_in_their_keys_alone():
    from claims_variants import TOKENS, VARIANTS, ControlStage, set_keys

    x = torch.rand(1, 3, 32, 32)

    def network(name: str) -> torch.nn.Module:
        torch.manual_seed(0)
        return VARIANTS[name].build().eval()

    with torch.no_grad():
        expected = network("dense")(x)
        for name in ("semanir", "per_layer", "random"):
            control = network(name)
            assert not torch.equal(control(x), expected), name
            # with all keys kept every choice is the same
            set_keys(control, TOKENS)
            torch.testing.assert_close(control(x), expected, rtol=0, atol=2e-5)
        # in a stage's first layer the layer's own dictionary is that of the stage
        semanir, per_layer = network("semanir").stages[0], network("per_layer").stages[0]
        semanir.layers, per_layer.layers = semanir.layers[:1], per_layer.layers[:1]
        features = torch.rand(1, 48, 32, 32)
        torch.testing.assert_close(per_layer(features), semanir(features), rtol=0, atol=1e-5)
    for name in ("near", "grid"):
        bits = network(name).stages[0]
        assert isinstance(bits, ControlStage)
        mask = bits.dictionary(torch.rand(2, TOKENS, 1)).mask()
        assert (mask.sum(-1) == TOKENS // 4).all()
        assert mask.diagonal(dim1=-2, dim2=-1).all()  # each token keeps itself


def test_a_shared_dictionary_is_the_first_layers_own():
    from claims_variants import VARIANTS, dictionary_overlap

    torch.manual_seed(0)
    shares = dictionary_overlap(VARIANTS["semanir"].build().eval(), torch.rand(1, 3, 32, 32))
    assert [len(stage) for stage in shares] == [4, 4]
    assert all(stage[0] == 1 and 0.25 < stage[-1] < 1 for stage in shares)


def test_verdicts_follow_the_figures():
    from claims_costs import exponent
    from claims_page import FAILS, HOLDS, IN_PART, UNKNOWN, gain, verdict

    assert verdict([0.1, -0.04]) == HOLDS
    assert verdict([0.1, -0.06]) == IN_PART
    assert verdict([-0.1, -0.06]) == FAILS
    assert verdict([0.1, None]) == verdict([]) == UNKNOWN

    def record(last: float) -> dict[str, object]:
        # scores are stored by number as JSON has it: "1000" comes after "250"
        return {"at_iterations": {"250": 1.0, "1000": last}, "at_minutes": {"8.0": last}}

    records = {
        ("noise25", "a", 0): record(30.0), ("noise25", "b", 0): record(29.0),
        ("noise25", "a", 1): record(31.0), ("noise25", "b", 1): record(29.5),
        ("noise25", "a", 2): record(99.0),
    }  # fmt: skip
    assert gain(records, "noise25", "a", "b", "equal iterations") == pytest.approx(1.25)
    assert gain(records, "jpeg10", "a", "b", "equal minutes") is None
    assert exponent({"16": (2.0, 1), "32": (8.0, 1), "64": (32.0, 1)}, 0) == pytest.approx(2)
