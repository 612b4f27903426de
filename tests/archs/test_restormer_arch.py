"""Restormer: the published sizes, the authors' names and outputs, and the plain equations."""

from __future__ import annotations

from string import Template

import numpy as np
import pytest
import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

from semanir_arch.archs import Restormer, build_network
from tests.archs.naive_restormer import NaiveRestormer
from tests.archs.named_weights import fill
from tests.each import each
from tests.helpers import ROOT

OUTPUTS = ROOT / "tests" / "archs" / "reference" / "outputs.npz"

VARIANTS: dict[str, dict] = {
    "deraining": {},
    "defocus_dual": {"inp_channels": 6, "dual_pixel_task": True},
    "gauss_gray": {"inp_channels": 1, "out_channels": 1, "LayerNorm_type": "BiasFree"},
    "gauss_color": {"LayerNorm_type": "BiasFree"},
}

SMALL = {"dim": 16, "num_blocks": (1, 2, 1, 1), "num_refinement_blocks": 1, "heads": (1, 2, 2, 4)}


@pytest.mark.parametrize(
    ("variant", "parameters", "entries"),
    [
        ("deraining", 26_126_644, 494),
        ("defocus_dual", 26_132_548, 495),
        ("gauss_gray", 26_109_076, 406),
        ("gauss_color", 26_111_668, 406),
    ],
)
def test_sizes_are_the_published_ones(variant: str, parameters: int, entries: int) -> None:
    with torch.device("meta"):
        network = Restormer(**VARIANTS[variant])
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert len(network.state_dict()) == entries


@pytest.mark.parametrize("variant", ["deraining", "gauss_color"])
def test_costs_are_the_published_ones(variant: str) -> None:
    """The authors' counter sees convolutions alone: 140.99 G for 256 x 256 pixels."""
    with torch.device("meta"):
        naive = NaiveRestormer(**VARIANTS[variant])
        x = torch.empty(1, 3, 256, 256)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        naive(x)
    counts = {op: flops / 2e9 for op, flops in counter.get_flop_counts()["Global"].items()}
    assert counts.pop(torch.ops.aten.convolution) == pytest.approx(140.99, abs=0.005)
    assert sum(counts.values()) == pytest.approx(13.9, abs=0.05)


@pytest.mark.parametrize(
    ("norm", "channels", "parameters"),
    [
        ("BiasFree", 1, 26_109_076),
        ("BiasFree", 3, 26_111_668),
        ("WithBias", 3, 26_126_644),
    ],
)
def test_the_option_fragment_is_the_published_networks(
    norm: str, channels: int, parameters: int
) -> None:
    fragment = ROOT / "options" / "_base_" / "network" / "restormer.yml"
    text = Template(fragment.read_text()).substitute(
        channels=channels, out_channels=channels, LayerNorm_type=norm
    )
    with torch.device("meta"):
        network = build_network(yaml.safe_load(text)["network_g"])
    assert sum(p.numel() for p in network.parameters()) == parameters


@pytest.mark.parametrize("variant", VARIANTS)
def test_names_and_shapes_are_the_authors(variant: str) -> None:
    with torch.device("meta"):
        own = Restormer(**VARIANTS[variant]).state_dict()
        named = NaiveRestormer(**VARIANTS[variant]).state_dict()
    assert {n: t.shape for n, t in own.items()} == {n: t.shape for n, t in named.items()}
    expected = {
        "patch_embed.proj.weight": (48, VARIANTS[variant].get("inp_channels", 3), 3, 3),
        "latent.7.attn.temperature": (8, 1, 1),
        "encoder_level2.0.attn.qkv_dwconv.weight": (288, 1, 3, 3),
        "refinement.3.ffn.project_in.weight": (510, 96, 1, 1),
        "down3_4.body.0.weight": (96, 192, 3, 3),
        "up4_3.body.0.weight": (768, 384, 3, 3),
    }
    assert {name: tuple(own[name].shape) for name in expected} == expected
    assert ("latent.0.norm1.body.bias" in own) == (variant in ("deraining", "defocus_dual"))
    assert ("skip_conv.weight" in own) == (variant == "defocus_dual")


@pytest.mark.parametrize("variant", VARIANTS)
def test_outputs_are_the_authors(variant: str) -> None:
    reference = np.load(OUTPUTS)
    low, high = reference[f"{variant}.range"]
    expected = torch.from_numpy(reference[variant] / 65535.0 * (high - low) + low)
    network = fill(Restormer(**VARIANTS[variant]))
    torch.manual_seed(0)
    x = torch.rand(1, network.in_chans, 48, 48)
    with torch.no_grad():
        out = network(x)
    torch.testing.assert_close(out.double(), expected, atol=1e-4 * (high - low), rtol=0)


# every two of the values together
@each(
    "norm, dual, bias",
    [
        ("WithBias", False, False),
        ("WithBias", True, True),
        ("BiasFree", False, True),
        ("BiasFree", True, False),
    ],
)
def test_outputs_and_gradients_are_those_of_the_equations(
    norm: str, dual: bool, bias: bool
) -> None:
    arguments = {**SMALL, "LayerNorm_type": norm, "dual_pixel_task": dual, "bias": bias}
    naive = fill(NaiveRestormer(inp_channels=6 if dual else 3, **arguments)).double()
    fast = Restormer(inp_channels=6 if dual else 3, **arguments).double()
    fast.load_state_dict(naive.state_dict())
    x = torch.rand(2, 6 if dual else 3, 24, 40, dtype=torch.float64)
    results = []
    for network in (naive, fast):
        inputs = x.clone().requires_grad_()
        out = network(inputs)
        out.square().mean().backward()
        gradients = [inputs.grad, *(p.grad for _, p in sorted(network.named_parameters()))]
        results.append((out.detach(), gradients))
    (naive_out, naive_gradients), (fast_out, fast_gradients) = results
    torch.testing.assert_close(fast_out, naive_out, atol=1e-9, rtol=0)
    for own, expected in zip(fast_gradients, naive_gradients, strict=True):
        scale = expected.abs().max().item()
        torch.testing.assert_close(own, expected, atol=1e-9 * scale, rtol=0)


@pytest.mark.parametrize("size", [(8, 8), (72, 256), (200, 104)])
def test_working_in_bands_changes_nothing(size: tuple[int, int]) -> None:
    network = fill(Restormer(**SMALL))
    x = torch.rand(2, 3, *size)
    whole = network(x).detach()
    with torch.no_grad():
        in_bands = network(x)
    torch.testing.assert_close(in_bands, whole, atol=1e-4, rtol=1e-4)


def test_half_precision_survives_sums_over_many_bright_pixels() -> None:
    network = fill(Restormer(**SMALL)).half()
    with torch.no_grad():
        out = network(100 * torch.rand(1, 3, 64, 64).half())
    assert out.isfinite().all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_blocks": (4, 6, 8)}, r"num_blocks=\[4, 6, 8\] must list 4 positive numbers"),
        ({"heads": (1, 2, 4, 0)}, r"heads=\[1, 2, 4, 0\] must list 4"),
        ({"heads": (1, 2, 4, 7)}, "heads=7 must divide the 384 channels"),
        ({"LayerNorm_type": "none"}, "LayerNorm_type='none'.*'WithBias', 'BiasFree'"),
        ({"inp_channels": 6}, "inp_channels=6, out_channels=3: must be equal.*dual_pixel_task"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict, message: str) -> None:
    with torch.device("meta"), pytest.raises(ValueError, match=message):
        Restormer(**arguments)
