"""What every network promises: a new one is tested by adding it to `SMALL`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from semanir_arch.archs import NETWORKS, build_network
from semanir_arch.archs.base import KeySemanticNetwork
from tests.each import each

# One stage: compiling takes seconds per stage.
SMALLEST: dict[str, dict] = {
    "SemanIR": {"depths": [1], "num_heads": [2]},
    "SemanIRUNet": {
        "widths": [8],
        "depths": [1],
        "num_heads": [2],
        "window_size": 8,
        "final_depth": 0,
    },
    "Restormer": {"num_blocks": [1] * 4},
    "RAMiT": {"depths": [1] * 4},
}

SMALL: dict[str, dict] = {
    "SemanIR": {"embed_dim": 12, "depths": [1, 1], "num_heads": [2, 2], "window_size": 4, "k": 5},
    "SemanIRUNet": {
        "widths": [8, 16],
        "depths": [1, 1],
        "num_heads": [2, 2],
        "window_size": [8, 4],
        "final_depth": 1,
        "k": 5,
    },
    "Restormer": {
        "dim": 8,
        "num_blocks": [1, 2, 1, 1],
        "num_refinement_blocks": 1,
        "heads": [1, 2, 2, 4],
    },
    "RAMiT": {
        "task": "low_light",
        "embed_dim": 16,
        "depths": [2, 1, 1, 2],
        "window_size": 4,
        "bottleneck_groups": 1,
        "mix_groups": 1,
    },
}

# How a network is built for images of `channels` channels, and for three channels out.
CHANNELS: dict[str, Callable[[int], dict]] = {
    "SemanIR": lambda channels: {"in_chans": channels, "out_chans": 3},
    "SemanIRUNet": lambda channels: {"in_chans": channels, "out_chans": 3},
    "Restormer": lambda channels: {"inp_channels": channels, "dual_pixel_task": True},
    # the input is added, and normalized like the output: as many channels out as in
    "RAMiT": lambda channels: {"in_chans": channels, "task": "denoising_real"},
}


# Networks whose modules have no `use_checkpoint`.
NOTHING_TO_RECOMPUTE: set[str] = set()

KEY_SEMANTIC = [
    name for name, network in NETWORKS.items() if issubclass(network, KeySemanticNetwork)
]


def build(name: str, **changes: object) -> nn.Module:
    torch.manual_seed(0)
    return build_network({"type": name} | SMALL[name] | changes)


def test_every_network_is_tested_here() -> None:
    assert SMALL.keys() == NETWORKS.keys()


@each("name", NETWORKS)
@each("size", [(1, 1), (1, 13), (7, 5), (8, 8), (17, 30)])
def test_any_size_goes_in_and_comes_out_enlarged(name: str, size: tuple[int, int]) -> None:
    network = build(name).eval()
    with torch.no_grad():
        out = network(torch.rand(2, network.in_chans, *size))
    assert out.shape == (2, network.out_chans, size[0] * network.upscale, size[1] * network.upscale)
    assert out.isfinite().all()


@pytest.mark.parametrize("name", NETWORKS)
def test_padding_outside_gives_what_padding_inside_gives(name: str) -> None:
    network = build(name).eval()
    x = torch.rand(1, network.in_chans, 2 * network.size_multiple - 3, network.size_multiple + 1)
    padded = torch.from_numpy(
        np.pad(
            x.numpy(),
            ((0, 0), (0, 0), (0, 3), (0, network.size_multiple - 1)),
            network.padding_mode,
        )
    )
    with torch.no_grad():
        inside, outside = network(x), network(padded)
    torch.testing.assert_close(inside, outside[..., : inside.shape[-2], : inside.shape[-1]])


@pytest.mark.parametrize("name", NETWORKS)
def test_images_of_a_batch_do_not_influence_each_other(name: str) -> None:
    network = build(name).eval()
    x = torch.rand(3, network.in_chans, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(network(x)[1:2], network(x[1:2]))


@each("name", NETWORKS)
@each("in_chans", [1, 3, 4, 6])
def test_any_number_of_channels(name: str, in_chans: int) -> None:
    network = build(name, **CHANNELS[name](in_chans))
    out = network(torch.rand(1, in_chans, 8, 8))
    assert out.shape[1] == (in_chans if name == "RAMiT" else 3)


@pytest.mark.parametrize("name", NETWORKS)
def test_wrong_number_of_channels_is_named(name: str) -> None:
    with pytest.raises(
        ValueError, match=rf"{name} takes images of shape \(B, 3, H, W\), got \(1, 1, 8, 8\)"
    ):
        build(name)(torch.rand(1, 1, 8, 8))


@each("name", KEY_SEMANTIC)
@each("shift", ["none", "stage"])
@each("sim_norm", ["none", "l2"])
def test_backends_agree_through_the_whole_network(name: str, shift: str, sim_norm: str) -> None:
    network = build(name, shift=shift, sim_norm=sim_norm).eval()
    x = torch.rand(1, 3, 16, 24)
    outputs = []
    for backend in ("naive", "masked", "gather"):
        network.backend = backend
        with torch.no_grad():
            outputs.append(network(x))
    torch.testing.assert_close(outputs[1], outputs[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(outputs[2], outputs[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", KEY_SEMANTIC)
def test_k_can_be_changed_after_construction(name: str) -> None:
    network = build(name).eval()
    x = torch.rand(1, 3, 16, 16)
    assert network.k == 5
    with torch.no_grad():
        few = network(x)
        network.k = 10_000
        every = network(x)
        network.k = 5
        assert torch.equal(network(x), few)
    assert not torch.allclose(few, every)
    with pytest.raises(ValueError, match="k=0"):
        network.k = 0


@pytest.mark.parametrize("name", KEY_SEMANTIC)
def test_every_parameter_gets_a_gradient(name: str) -> None:
    network = build(name, shift="stage", score="cosine")
    network(torch.rand(1, 3, 16, 16)).square().mean().backward()
    assert [
        n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0
    ] == []


@pytest.mark.parametrize("name", NETWORKS)
def test_low_precision_stays_near_float32(name: str) -> None:
    network = build(name).eval()
    x = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        expected = network(x)
        with torch.autocast("cpu", torch.bfloat16):
            under_autocast = network(x)
        converted = network.bfloat16()(x.bfloat16())
    torch.testing.assert_close(under_autocast.float(), expected, atol=3e-2, rtol=0)
    assert converted.dtype == torch.bfloat16
    torch.testing.assert_close(converted.float(), expected, atol=3e-2, rtol=0)


@pytest.mark.parametrize("name", NETWORKS)
def test_multiply_adds_can_be_counted_without_memory(name: str) -> None:
    with torch.device("meta"):
        network = build(name).requires_grad_(False)
        x = torch.empty(1, 3, 2048, 2048)
    if name in KEY_SEMANTIC:
        network.backend = "naive"
    with FlopCounterMode(display=False) as counter:
        out = network(x)
    assert out.is_meta
    assert counter.get_total_flops() > 2048 * 2048


@pytest.mark.parametrize("name", NETWORKS)
def test_recomputing_activations_changes_no_gradient(name: str) -> None:
    network = build(name).train()
    x = torch.rand(1, 3, 16, 16)
    gradients = []
    for recompute in (False, True):
        switches = [m for m in network.modules() if hasattr(m, "use_checkpoint")]
        assert bool(switches) == (name not in NOTHING_TO_RECOMPUTE)
        for module in switches:
            module.use_checkpoint = recompute
        network.zero_grad()
        network(x).square().mean().backward()
        gradients.append([p.grad.clone() for p in network.parameters() if p.grad is not None])
    assert len(gradients[0]) > 0
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(recomputed, plain)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_compiles_as_one_graph_with_gradients(name: str) -> None:
    """Code that is generated around our operators: `tests/ops/test_attention.py`."""
    network = build(name, **SMALLEST[name])
    # what the graph holds but our operators is torch's own, whose gradients need no test
    backend = "aot_eager" if name in KEY_SEMANTIC else "eager"
    compiled = torch.compile(network, fullgraph=True, dynamic=False, backend=backend)
    x = torch.rand(1, 3, 16, 16)
    gradients = []
    for module in (network, compiled):
        network.zero_grad()
        module(x).square().mean().backward()
        gradients.append([p.grad.clone() for p in network.parameters()])
    for eager, fused in zip(*gradients, strict=True):
        torch.testing.assert_close(fused, eager, atol=1e-5, rtol=1e-3)


def test_unknown_network_and_argument_are_met_with_the_nearest_name() -> None:
    with pytest.raises(ValueError, match=r"'SemanIRUnet' is unknown.*did you mean 'SemanIRUNet'"):
        build_network({"type": "SemanIRUnet"})
    with pytest.raises(
        ValueError, match=r"SemanIR has no argument 'window'.*did you mean 'window_size'"
    ):
        build_network({"type": "SemanIR", "window": 8})
