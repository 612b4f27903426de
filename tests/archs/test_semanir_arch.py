"""The columnar network: the published sizes, and its structure."""

from __future__ import annotations

import pytest
import torch

from semanir_arch.archs import SemanIR
from semanir_arch.modules.stage import KeySemanticStage
from tests.each import each

SMALL = {"depths": (6,) * 6, "num_heads": (6,) * 6}
BASE = {"depths": (8,) * 8, "num_heads": (6,) * 8}


# In millions as printed in the paper's table, then exactly: without and with a logit scale per
# head.
@pytest.mark.parametrize(
    ("size", "upscale", "published", "dot", "cosine"),
    [
        (SMALL, 2, 11.87, 11_869_775, 11_869_991),
        (SMALL, 3, 12.05, 12_054_415, 12_054_631),
        (SMALL, 4, 12.02, 12_017_487, 12_017_703),
        (BASE, 2, 19.90, 19_895_399, 19_895_783),
        (BASE, 3, 20.08, 20_080_039, 20_080_423),
        (BASE, 4, 20.04, 20_043_111, 20_043_495),
    ],
)
def test_parameters_match_the_published_counts(
    size: dict, upscale: int, published: float, dot: int, cosine: int
) -> None:
    for score, expected in (("dot", dot), ("cosine", cosine)):
        with torch.device("meta"):
            network = SemanIR(upscale=upscale, score=score, **size)
        count = sum(p.numel() for p in network.parameters())
        assert count == expected
        assert round(count / 1e6, 2) == published


def test_defaults_are_the_published_small_model() -> None:
    with torch.device("meta"):
        assert sum(p.numel() for p in SemanIR().parameters()) == 11_869_775


def test_every_second_stage_is_shifted_on_request() -> None:
    network = SemanIR(
        embed_dim=12, depths=(1,) * 4, num_heads=(2,) * 4, window_size=8, shift="stage", upscale=1
    )
    shifts = [module.shift for module in network.modules() if isinstance(module, KeySemanticStage)]
    assert shifts == [0, 4, 0, 4]


def test_at_scale_one_the_input_is_added() -> None:
    network = SemanIR(upscale=1, embed_dim=12, depths=(1,), num_heads=(2,), window_size=4)
    for parameter in network.reconstruct.parameters():
        torch.nn.init.zeros_(parameter)
    x = torch.rand(1, 3, 9, 5)
    assert torch.equal(network(x), x)


def test_blocks_follow_their_stage_and_may_stand_alone() -> None:
    network = SemanIR(embed_dim=12, depths=(0, 1), num_heads=(1, 2), window_size=4, blocks=(2, 1))
    kinds = [[type(part).__name__ for part in stage] for stage in network.stages]
    assert kinds == [["ResidualBlock"] * 2, ["KeySemanticStage", "ResidualBlock"]]
    assert network(torch.rand(1, 3, 9, 5)).shape == (1, 3, 18, 10)
    network.k = 3
    assert network.k == 3


@each(
    "arguments, message",
    [
        ({"depths": (2, 2)}, "num_heads has 6, depths has 2"),
        ({"depths": (0,) * 6, "blocks": 1}, r"depths=\[0, .* not in all stages"),
        ({"depths": (0, 2, 2, 2, 2, 2)}, "0 is allowed where"),
        ({"blocks": (1, 1)}, "depths has 6, blocks has 2"),
        ({"blocks": -1}, r"blocks=\[-1, .* must not be negative"),
        ({"shift": "layer"}, "shift='layer'.*'none', 'stage'"),
        ({"reconstructor": "nearest"}, "reconstructor='nearest'.*'pixelshuffledirect'"),
        ({"upscale": 6}, "upscale=6"),
        ({"depths": ()}, r"depths=\[\] must list one positive number"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict, message: str) -> None:
    with torch.device("meta"), pytest.raises(ValueError, match=message):
        SemanIR(**arguments)
