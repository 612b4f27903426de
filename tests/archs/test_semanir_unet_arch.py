"""The U-shape: the published size, other layouts that meet it, and its structure."""

from __future__ import annotations

import pytest
import torch

from semanir_arch.archs import SemanIRUNet
from semanir_arch.modules.stage import KeySemanticStage


def count(**arguments: object) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in SemanIRUNet(**arguments).parameters())


def test_default_matches_the_published_count() -> None:
    assert count() == 25_817_147
    assert count(score="cosine") == 25_817_699
    assert round(count() / 1e6, 2) == 25.82


# Layouts that the parameter arithmetic of the published count also allows, in millions.
@pytest.mark.parametrize(
    ("layout", "millions"),
    [
        ({"num_heads": [2, 2, 2, 2], "downsample": "strided2", "score": "cosine"}, 25.81),
        (
            {
                "widths": [72, 144, 288, 576],
                "depths": [4, 4, 4, 4],
                "num_heads": [2, 4, 8, 16],
                "final_depth": 4,
                "upsample": "transposed",
            },
            25.82,
        ),
        ({"num_heads": [2, 4, 8, 16]}, 25.68),
        (
            {
                "widths": [64, 128, 256, 512],
                "depths": [4] * 4,
                "num_heads": [2, 4, 8, 16],
                "final_depth": 4,
            },
            25.94,
        ),
    ],
)
def test_other_layouts_have_the_sizes_of_the_arithmetic(layout: dict, millions: float) -> None:
    assert round(count(**layout) / 1e6, 2) == millions


@pytest.mark.parametrize("scales", [1, 2, 3, 4])
def test_any_number_of_scales(scales: int) -> None:
    network = SemanIRUNet(
        widths=[8 * 2**s for s in range(scales)],
        depths=[1] * scales,
        num_heads=[2] * scales,
        window_size=4,
    )
    assert network.size_multiple == 4 * 2 ** (scales - 1)
    assert network(torch.rand(1, 3, 10, 6)).shape == (1, 3, 10, 6)


def test_size_multiple_fits_the_windows_of_all_scales() -> None:
    network = SemanIRUNet(
        widths=[8, 16], depths=[1, 1], num_heads=[2, 2], window_size=[12, 8], final_depth=0
    )
    assert network.size_multiple == 48


def test_stages_alternate_in_the_order_in_which_an_image_meets_them() -> None:
    network = SemanIRUNet(
        widths=[8, 16, 32],
        depths=[1] * 3,
        num_heads=[2] * 3,
        window_size=4,
        final_depth=1,
        shift="stage",
    )
    order: list[int] = []
    for module in network.modules():
        if isinstance(module, KeySemanticStage):
            module.register_forward_pre_hook(lambda module, args: order.append(module.shift))
    network(torch.rand(1, 3, 16, 16))
    assert order == [0, 2, 0, 2, 0, 2]


def test_input_is_added_where_channels_match() -> None:
    small = {"widths": [8, 16], "depths": [1, 1], "num_heads": [2, 2], "window_size": 4}
    x = torch.rand(1, 4, 8, 8)
    for out_chans, added in ((4, True), (3, False)):
        network = SemanIRUNet(in_chans=4, out_chans=out_chans, **small)
        for parameter in network.last.parameters():
            torch.nn.init.zeros_(parameter)
        assert torch.equal(network(x), x if added else torch.zeros(1, 3, 8, 8))


def test_lists_of_unequal_length_are_named() -> None:
    with pytest.raises(ValueError, match=r"widths has 4.*depths has 3"):
        SemanIRUNet(depths=[1, 1, 1])


FOLDED = {
    "widths": [8, 16],
    "depths": [0, 1],
    "blocks": [1, 2],
    "num_heads": [1, 2],
    "window_size": 4,
    "final_depth": 0,
    "unshuffle": 2,
}


def test_folded_pixels_are_unfolded_in_their_places() -> None:
    network = SemanIRUNet(**FOLDED).eval()
    assert network.size_multiple == 16
    for parameter in network.last.parameters():
        torch.nn.init.zeros_(parameter)
    torch.nn.init.ones_(network.last.bias[:4])
    x = torch.rand(1, 3, 21, 18)
    with torch.no_grad():
        assert torch.equal(
            (network(x) - x).mean((0, 2, 3)) > 0.5, torch.tensor([True, False, False])
        )
        assert network.first(network.fold(x[..., :20, :])).shape == (1, 8, 10, 9)


def test_scales_without_layers_have_no_windows() -> None:
    network = SemanIRUNet(**FOLDED | {"window_size": [32, 4]})
    assert network.size_multiple == 16
    assert [type(part).__name__ for part in network.latent] == [
        "KeySemanticStage",
        "ResidualBlock",
        "ResidualBlock",
    ]
    assert [type(part).__name__ for part in network.encoders[0]] == ["ResidualBlock"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"unshuffle": 0}, "unshuffle=0 must be at least 1"),
        ({"blocks": [1]}, "widths has 2.*blocks has 1"),
        ({"depths": [0, 0]}, "not in all stages"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SemanIRUNet(**FOLDED | arguments)
